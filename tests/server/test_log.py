"""Tests of the server's log."""

import io
import json
import logging

import pytest
import structlog

from gpugen_server import log


@pytest.fixture
def stream():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def _lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_one_json_object_whoever_wrote_it(stream):
    log.configure("json", stream)
    structlog.get_logger("gpugen_server.x").info("serving", port=8787)
    logging.getLogger("tornado.access").warning("404 GET %s (%s)", "/x", "::1")
    ours, theirs = _lines(stream)
    assert (ours["event"], ours["port"], ours["level"]) == ("serving", 8787, "info")
    assert (theirs["event"], theirs["logger"]) == ("404 GET /x (::1)", "tornado.access")


def test_a_query_string_is_never_written(stream):
    log.configure("json", stream)
    logging.getLogger("tornado.access").info("200 GET %s 1ms", "/api/v1/events?token=secret&x=1")
    structlog.get_logger("x").info("seen", url="/a?token=secret")
    assert "secret" not in stream.getvalue()
    assert _lines(stream)[0]["event"] == "200 GET /api/v1/events?… 1ms"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_stranger_can_neither_forge_a_line_nor_steer_a_terminal(stream, form):
    log.configure(form, stream)
    structlog.get_logger("x").info("name\n2026 forged", other="\x1b[2J\u2028")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_does_not_show_the_values_of_variables(stream, form):
    log.configure(form, stream)
    token = "gpg_u_geheim"
    try:
        raise ValueError(len(token))
    except ValueError:
        structlog.get_logger("x").exception("it broke")
    assert "ValueError: 12" in stream.getvalue()
    assert token not in stream.getvalue().replace(f'token = "{token}"', "")


def test_what_goes_to_a_file_is_json_unless_asked_otherwise(stream):
    log.configure("auto", stream)
    structlog.get_logger("x").info("hello")
    assert _lines(stream)[0]["event"] == "hello"
