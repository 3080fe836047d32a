from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from tests.client.scripted_server import AT, ScriptedServer, image, phase, state
from tests.fakes import until

from gpugen_client import feed
from gpugen_client.connection import Connection
from gpugen_client.updates import Updates
from gpugen_client.watch import Watch
from gpugen_protocol.errors import Forbidden, GpugenError, NotFound, ServerUnreachable, Unauthorized
from gpugen_protocol.events import (
    Event,
    GapEvent,
    NoticeEvent,
    PhaseEvent,
    ProgressEvent,
    SnapshotEvent,
    StateEvent,
)
from gpugen_protocol.task import Progress


def rest(watch: Watch, seconds: float = 10.0) -> list[Event]:
    """Everything up to the end, without snapshots and notices."""
    events, deadline = [], time.monotonic() + seconds
    while not watch.done:
        assert time.monotonic() < deadline, f"no end in time, only {events}"
        event = watch.get(0.2)
        if event is not None and not isinstance(event, SnapshotEvent | NoticeEvent):
            events.append(event)
    return events


def numbers(events: list[Event]) -> list[int]:
    return [event.seq for event in events if isinstance(event, StateEvent | PhaseEvent)]


def test_a_watch_gives_every_event_in_order_and_ends_after_the_terminal_state(
    scripted: ScriptedServer, updates: Updates
) -> None:
    scripted.happen(state(1, "queued"))
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    scripted.happen(phase(2), state(3, "running"), phase(4), state(5, "succeeded"))
    assert numbers(rest(watch)) == [1, 2, 3, 4, 5]
    assert list(watch) == []
    assert watch.get(0.01) is None


def test_a_subscription_opens_with_a_snapshot(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.happen(state(1, "queued"))
    first = updates.watch("t").get(5)
    assert isinstance(first, SnapshotEvent)
    assert first.data.state == "queued"


def test_who_comes_in_the_middle_of_a_step_is_told_the_progress(
    scripted: ScriptedServer, updates: Updates
) -> None:
    scripted.happen(state(1, "running"))
    scripted.progress = Progress(image=0, step=3, steps=20)
    watch = updates.watch("t")
    events = [watch.get(5), watch.get(5)]
    assert [event.step for event in events if isinstance(event, ProgressEvent)] == [3]


def test_get_gives_none_when_nothing_comes_in_time(scripted: ScriptedServer, updates: Updates) -> None:
    watch = updates.watch("t")
    until(lambda: isinstance(watch.get(0.1), SnapshotEvent))
    started = time.monotonic()
    assert watch.get(0.1) is None
    assert 0.09 < time.monotonic() - started < 1
    assert not watch.done


def test_after_skips_what_the_consumer_already_has(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.happen(state(1, "queued"), phase(2), state(3, "succeeded"))
    assert numbers(rest(updates.watch("t", after=2))) == [3]


def test_a_watch_of_a_task_that_ended_before_the_asked_number_ends_at_once(
    scripted: ScriptedServer, updates: Updates
) -> None:
    scripted.happen(state(1, "queued"), state(2, "canceled"))
    events = rest(updates.watch("t", after=2))
    assert [event.state for event in events if isinstance(event, StateEvent)] == ["canceled"]


def test_duplicates_are_dropped(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.twice = True
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    scripted.happen(state(1, "queued"), phase(2), state(3, "running"), state(4, "succeeded"))
    assert numbers(rest(watch)) == [1, 2, 3, 4]


def test_missing_numbers_are_fetched(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.unsent = {2, 3, 4, 5, 6, 7}
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    scripted.happen(state(1, "queued"), *[phase(seq) for seq in range(2, 9)], state(9, "succeeded"))
    assert numbers(rest(watch)) == list(range(1, 10))


def test_a_terminal_state_that_the_websocket_never_brings_is_fetched(
    scripted: ScriptedServer, updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_SILENCE", 0.5)
    scripted.unsent = {2}
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    scripted.happen(state(1, "queued"), state(2, "succeeded"))
    assert numbers(rest(watch)) == [1, 2]


def test_a_websocket_that_breaks_again_and_again_loses_nothing(
    scripted: ScriptedServer, updates: Updates
) -> None:
    scripted.hang_up_after = 3
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    for seq in range(1, 12):
        scripted.happen(phase(seq))
    scripted.happen(state(12, "succeeded"))
    assert numbers(rest(watch)) == list(range(1, 13))


def test_a_reconnected_websocket_resumes_after_the_last_number(
    scripted: ScriptedServer, updates: Updates
) -> None:
    scripted.happen(state(1, "queued"), phase(2))
    watch = updates.watch("t")
    until(lambda: watch.seq == 2)
    scripted.hang_up()
    until(lambda: scripted.opened == 2 and scripted.watched)
    assert scripted.subscribed_after == [0, 2]
    scripted.happen(state(3, "succeeded"))
    assert numbers(rest(watch)) == [1, 2, 3]


def test_without_any_websocket_polling_brings_everything(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.no_websocket = True
    scripted.happen(state(1, "queued"))
    watch = updates.watch("t")
    until(lambda: watch.seq == 1)
    scripted.happen(*[phase(seq) for seq in range(2, 7)])
    until(lambda: watch.seq == 6)
    scripted.happen(state(7, "failed"))
    assert numbers(rest(watch)) == [1, 2, 3, 4, 5, 6, 7]
    assert scripted.opened == 0


def test_without_any_websocket_progress_is_still_told(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.no_websocket = True
    scripted.happen(state(1, "running"))
    scripted.progress = Progress(image=0, step=3, steps=20)
    watch = updates.watch("t")
    seen: list[Event | None] = []
    until(lambda: seen.append(watch.get(0.1)) or any(isinstance(event, ProgressEvent) for event in seen))
    assert [event.step for event in seen if isinstance(event, ProgressEvent)] == [3]


def test_a_websocket_that_accepts_and_says_nothing_is_helped_by_polling(
    scripted: ScriptedServer, updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_FIRST_WORD", 0.1)
    scripted.silent_websocket = True
    scripted.happen(state(1, "queued"), state(2, "succeeded"))
    assert numbers(rest(updates.watch("t"))) == [1, 2]


def test_pruned_history_is_told_as_a_gap(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.no_websocket = True
    scripted.happen(*[phase(seq) for seq in range(1, 6)], state(6, "succeeded"))
    scripted.oldest = 4
    events = rest(updates.watch("t"))
    assert [event.until for event in events if isinstance(event, GapEvent)] == [3]
    assert numbers(events) == [4, 5, 6]


@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "polling"])
def test_after_a_gap_comes_a_snapshot_that_holds_what_was_pruned_and_then_the_tail(
    scripted: ScriptedServer, updates: Updates, websocket: bool
) -> None:
    scripted.no_websocket = not websocket
    scripted.happen(state(1, "running"), image(2, 0), phase(3))
    scripted.oldest = 3
    watch = updates.watch("t", after=1)
    gap, snapshot, *tail = (watch.get(5) for _ in range(3))
    assert isinstance(gap, GapEvent)
    assert gap.until == 2
    assert isinstance(snapshot, SnapshotEvent)
    assert [each.index for each in snapshot.data.images] == [0]
    scripted.happen(state(4, "succeeded"))
    assert numbers([*filter(None, tail), *rest(watch)]) == [3, 4]


def test_a_gap_before_what_is_here_already_is_no_news(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.happen(phase(1), phase(2))
    watch = updates.watch("t")
    until(lambda: watch.seq == 2)
    scripted.send(GapEvent(task="t", at=AT, until=1))
    scripted.happen(state(3, "succeeded"))
    events = rest(watch)
    assert numbers(events) == [1, 2, 3]
    assert not [event for event in events if isinstance(event, GapEvent)]


def test_whoever_does_not_read_keeps_the_newest_snapshot_not_all_of_them(
    scripted: ScriptedServer, updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_SILENCE", 0.0)  # asks for the task again and again
    scripted.happen(state(1, "running"))
    watch = updates.watch("t")
    until(lambda: scripted.polls > 5)
    scripted.happen(state(2, "succeeded"))
    until(lambda: watch.ended)
    assert len([event for event in watch if isinstance(event, SnapshotEvent)]) <= 2  # of before and after 1


def test_a_pruned_end_still_ends_the_watch(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.no_websocket = True
    scripted.happen(phase(1), state(2, "succeeded"))
    scripted.oldest = 3
    events = rest(updates.watch("t"))
    assert [event.state for event in events if isinstance(event, StateEvent)] == ["succeeded"]


@pytest.mark.parametrize("error", [Unauthorized, Forbidden, NotFound])
def test_a_final_refusal_is_raised_in_the_consumer(
    scripted: ScriptedServer, updates: Updates, error: type[GpugenError]
) -> None:
    scripted.error = error("No.")
    watch = updates.watch("t")
    with pytest.raises(error, match=r"No\."):
        watch.get(10)
    with pytest.raises(error):
        next(iter(watch))


def test_a_bad_moment_of_the_server_is_waited_out(scripted: ScriptedServer, updates: Updates) -> None:
    scripted.error = GpugenError("Oops.")
    watch = updates.watch("t")
    scripted.happen(state(1, "queued"), state(2, "succeeded"))
    until(lambda: watch.heard)
    scripted.error = None
    assert numbers(rest(watch)) == [1, 2]


def test_a_server_that_comes_back_is_found_and_the_outage_is_told(
    scripted: ScriptedServer, updates: Updates
) -> None:
    scripted.happen(state(1, "queued"))
    watch = updates.watch("t")
    until(lambda: watch.seq == 1)
    scripted.go_down()
    seen: list[Event | None] = []
    until(lambda: seen.append(watch.get(0.1)) or _notice(seen) == ["connection_lost"])
    scripted.happen(phase(2))
    scripted.start()
    until(lambda: seen.append(watch.get(0.1)) or _notice(seen) == ["connection_lost", "connection_restored"])
    scripted.happen(state(3, "succeeded"))
    assert numbers([*filter(None, seen), *rest(watch)]) == [1, 2, 3]


def _notice(events: list[Event | None]) -> list[str]:
    return [event.code for event in events if isinstance(event, NoticeEvent)]


def test_a_server_that_stays_away_ends_the_watch_after_some_patience(scripted: ScriptedServer) -> None:
    updates = Updates(Connection(scripted.url, "token", retries=0), patience=0.5)
    scripted.go_down()
    watch = updates.watch("t")
    with pytest.raises(ServerUnreachable):
        for _ in watch:
            pass
    updates.close()


def test_of_progress_a_slow_consumer_gets_the_newest_and_of_numbered_events_all(
    scripted: ScriptedServer, updates: Updates
) -> None:
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    for step in range(1, 31):
        scripted.send(ProgressEvent(task="t", at=AT, image=0, step=step, steps=30))
        scripted.happen(phase(step))
    scripted.happen(state(31, "succeeded"))
    until(lambda: watch.ended)
    events = rest(watch)
    assert numbers(events) == list(range(1, 32))
    assert [event.step for event in events if isinstance(event, ProgressEvent)] == [30]


def test_an_event_that_only_a_newer_client_knows_is_ignored(
    scripted: ScriptedServer, updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    scripted._do(lambda: [s.write_message('{"type": "telepathy", "task": "t"}') for s in scripted._sockets])
    scripted.happen(state(1, "succeeded"))
    assert numbers(rest(watch)) == [1]


def test_two_watches_of_one_task_each_get_everything_over_one_websocket(
    scripted: ScriptedServer, updates: Updates
) -> None:
    scripted.happen(state(1, "queued"))
    first, second = updates.watch("t"), updates.watch("t", after=1)
    until(lambda: len(scripted.subscribed_after) == 2)
    first_alone = [event for event in [first.get(5)] if event]
    second.close()
    scripted.happen(state(2, "succeeded"))
    assert numbers([*first_alone, *rest(first)]) == [1, 2]
    assert scripted.opened == 1


def test_close_ends_the_thread_and_whoever_waits(scripted: ScriptedServer, updates: Updates) -> None:
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    closer = threading.Thread(target=updates.close)
    closer.start()
    with pytest.raises(GpugenError, match="the task goes on"):
        rest(watch)
    closer.join(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "gpugen-updates"]


def test_a_watch_after_close_starts_anew(scripted: ScriptedServer, updates: Updates) -> None:
    updates.watch("t")
    updates.close()
    scripted.happen(state(1, "succeeded"))
    assert numbers(rest(updates.watch("t"))) == [1]


def test_without_watches_the_thread_ends_by_itself(
    scripted: ScriptedServer, updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_LINGER", 0.2)
    watch = updates.watch("t")
    until(lambda: scripted.watched)
    watch.close()
    until(lambda: not scripted.watched)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "gpugen-updates"])
    scripted.happen(state(1, "succeeded"))
    assert numbers(rest(updates.watch("t"))) == [1]


def test_an_open_watch_does_not_keep_the_interpreter_alive_and_says_nothing(scripted: ScriptedServer) -> None:
    program = (
        "from gpugen_client.connection import Connection\nfrom gpugen_client.updates import Updates\n"
        f"print(type(Updates(Connection({scripted.url!r}, 'x')).watch('t').get(5)).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"SnapshotEvent", b"")


def test_a_proxy_in_the_environment_is_not_used_for_this_machine(
    scripted: ScriptedServer, updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "WS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    scripted.happen(state(1, "queued"), state(2, "succeeded"))
    assert numbers(rest(updates.watch("t"))) == [1, 2]
    assert scripted.opened == 1


def test_a_task_is_unsubscribed_once_when_it_has_ended_or_nobody_watches_it_any_more(
    scripted: ScriptedServer, updates: Updates
) -> None:
    closed, other = updates.watch("t"), updates.watch("t")
    until(lambda: scripted.watched)
    closed.close()
    scripted.happen(state(1, "succeeded"))
    rest(other)
    until(lambda: scripted.unsubscribed)
    other.close()
    updates.watch("u").close()
    until(lambda: "u" in scripted.unsubscribed)
    assert scripted.unsubscribed == ["t", "u"]
