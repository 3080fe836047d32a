"""Tests of what background loops say."""

import structlog

from gpugen_protocol.errors import Unavailable
from gpugen_server import complaints
from gpugen_server.complaints import Complaints


def _complain(caplog, *errors):
    told = Complaints(structlog.get_logger("test"))
    for error in errors:
        told.log("it failed", error)
    return caplog.records


def test_the_same_error_is_told_once(caplog):
    assert len(_complain(caplog, ValueError("a"), ValueError("a"), ValueError("b"))) == 2


def test_it_is_told_again_after_a_while(caplog, monkeypatch):
    monkeypatch.setattr(complaints, "QUIET", 0.0)
    assert len(_complain(caplog, ValueError("a"), ValueError("a"))) == 2


def test_only_what_nobody_foresaw_deserves_a_traceback(caplog):
    foreseen, not_foreseen = _complain(caplog, Unavailable(), ZeroDivisionError())
    assert not foreseen.exc_info
    assert not_foreseen.exc_info[0] is ZeroDivisionError
