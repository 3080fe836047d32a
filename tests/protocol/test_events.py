import base64
import json

import msgspec
import pytest

from gpugen_protocol import wire
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.events import (
    Event,
    LogReport,
    PhaseEvent,
    ProgressReport,
    Report,
    SocketCommand,
    StateEvent,
    Subscription,
)
from gpugen_protocol.worker import Reports


@pytest.mark.parametrize(
    "event",
    [
        StateEvent(task="t", at="now", seq=1, state="queued"),
        PhaseEvent(task="t", at="now", seq=2, phase="loading", text="x", data={"bytes": 1}),
    ],
    ids=lambda event: type(event).__name__,
)
def test_events_come_back_as_what_they_were(event):
    assert msgspec.json.decode(wire.encode(event), type=Event) == event


def test_the_type_is_on_the_wire():
    assert msgspec.json.decode(wire.encode(LogReport(message="x")))["type"] == "log"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"events": [{"type": "log"}]}', "events[0].message"),
        (b'{"events": [{"type": "progress", "image": -1, "step": 0, "steps": 1}]}', "events[0].image"),
        (b'{"events": [{"type": "phase", "phase": "dancing"}]}', "events[0].phase"),
        (b'{"events": [{"type": "state", "state": "succeeded"}]}', "events[0].type"),
        (b'{"events": [], "more": 1}', "more"),
    ],
)
def test_a_worker_can_only_say_what_reports_allow(body, path):
    with pytest.raises(InvalidRequest) as refused:
        wire.decode(body, Reports)
    assert refused.value.errors[0].path == path


def test_long_texts_are_refused():
    with pytest.raises(InvalidRequest, match="at most 1000"):
        wire.decode(wire.encode(LogReport(message="x" * 1001)), Report)
    assert wire.decode(wire.encode(LogReport(message="x" * 1000)), Report) == LogReport(message="x" * 1000)


def test_a_subscription_has_one_number_or_one_a_task():
    command = SocketCommand(subscribe=Subscription(task="*", after={"a": 3}))
    assert wire.decode(wire.encode(command), SocketCommand) == command
    assert wire.decode(b'{"subscribe": {"task": "a"}}', SocketCommand).subscribe.after == 0


def test_progress_needs_at_least_one_step_to_go():
    with pytest.raises(InvalidRequest):
        wire.decode(wire.encode(ProgressReport(image=0, step=0, steps=0)), Report)


@pytest.mark.parametrize(
    "report",
    [
        {"type": "progress", "image": 0, "step": 10**400, "steps": 10**400},
        {"type": "progress", "image": 0, "step": 1, "steps": 9, "seconds_per_step": 1e308},
        {"type": "progress", "image": 0, "step": 1, "steps": 9, "seconds_per_step": -1},
        {"type": "preview", "image": 0, "step": 1, "data": "A"},
        {"type": "preview", "image": 0, "step": 1, "data": '"><script>alert(1)</script>'},
        {"type": "phase", "phase": "loading", "data": {"a": [[1]]}},
        {"type": "phase", "phase": "loading", "data": {"a": 10**30}},
        {"type": "phase", "phase": "loading", "data": {"a": "x" * 201}},
        {"type": "phase", "phase": "loading", "data": {str(number): 1 for number in range(21)}},
    ],
)
def test_what_nobody_can_show_or_count_with_is_no_report(report):
    with pytest.raises(InvalidRequest):
        wire.decode(json.dumps(report), Report)


def test_a_preview_is_any_base64():
    for size in range(5):
        data = base64.b64encode(bytes(size)).decode()
        assert wire.convert({"type": "preview", "image": 0, "step": 1, "data": data}, Report).data == data
