"""The worker as a process: how it begins, works, and ends, against a server that can be told to misbehave."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.worker.conftest import WorkerProcess
from tests.worker.scripted_server import ScriptedServer, wait_until

from gpugen_protocol.worker import Completion, Failure, Leases, Release

Start = Callable[..., WorkerProcess]


def started(scripted: ScriptedServer, start_worker: Start, *arguments: str, **environ: str) -> WorkerProcess:
    """A worker that waits for its first task."""
    worker = start_worker(scripted.url, *arguments, **environ)
    wait_until(lambda: bool(scripted.claims), 30)
    return worker


def test_a_worker_introduces_itself_draws_uploads_and_completes_with_a_claim(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    started(scripted, start_worker, "--name", "my worker", "--model", "emoji", "--model", "sdxl")
    scripted.submit(n=3)
    attempt = scripted.attempt()
    session = scripted.sessions[0]
    assert (session.name, session.models) == ("my worker", ("emoji", "sdxl"))
    assert session.memory_bytes > 0
    assert {"torch", "diffusers", "python"} <= session.libraries.keys()
    assert sorted(attempt.images) == [0, 1, 2]
    assert all(png.startswith(b"\x89PNG") for png in attempt.images.values())
    assert attempt.phases() == ["loading", *["drawing", "decoding", "uploading"] * 3]
    assert isinstance(attempt.ended, Completion)
    assert attempt.ended.drawing_seconds > 0
    assert attempt.ended.claim.loaded == ("emoji",)
    assert scripted.claims[0].loaded == ()


def test_the_same_seed_gives_the_same_bytes(scripted: ScriptedServer, start_worker: Start) -> None:
    started(scripted, start_worker)
    scripted.submit(seed=7, n=2)
    scripted.submit(seed=8)
    first, second = scripted.attempt(0), scripted.attempt(1)
    assert first.images[1] == second.images[0] != first.images[0]


def test_once_leaves_after_one_task(scripted: ScriptedServer, start_worker: Start) -> None:
    worker = started(scripted, start_worker, "--once")
    scripted.submit()
    scripted.submit()
    assert worker.wait() == 0
    assert len(scripted.attempts) == 1
    assert scripted.attempts[0].ended.claim is None


def test_an_idle_worker_leaves_after_its_own_time_or_the_servers(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    scripted.idle_seconds = 0.6
    first = started(scripted, start_worker)
    second = start_worker(scripted.url, "--idle-exit", "0.7s")
    assert first.wait() == second.wait() == 0
    assert "Idle for 0.6 s" in first.log
    assert "Idle for 0.7 s" in second.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_waiting_worker_ends_at_once_when_told_to(
    scripted: ScriptedServer, start_worker: Start, number: int
) -> None:
    worker = started(scripted, start_worker)
    told = time.monotonic()
    worker.process.send_signal(number)
    assert worker.wait() == 0
    assert time.monotonic() - told < 2
    assert "Told to stop" in worker.log


def test_a_task_that_fits_into_the_grace_is_finished_after_sigterm(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.1")
    scripted.submit(steps=15)
    wait_until(lambda: scripted.attempts and len(scripted.attempts[0].reports) > 3)
    worker.process.terminate()
    attempt = scripted.attempt()
    assert isinstance(attempt.ended, Completion)
    assert attempt.ended.claim is None
    assert worker.wait() == 0


def test_a_task_that_does_not_fit_is_given_back_at_once_even_within_a_long_step(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker, "--grace", "5", GPUGEN_FAKE_STEP_SECONDS="3")
    scripted.submit(steps=50)
    wait_until(lambda: scripted.attempts and scripted.attempts[0].beats)
    told = time.monotonic()
    worker.process.terminate()
    attempt = scripted.attempt()
    assert attempt.ended == Release(reason="the worker is stopping")
    assert attempt.ended_at - told < 0.5
    assert worker.wait() == 0
    assert time.monotonic() - told < 2


def test_a_task_is_given_back_when_it_takes_longer_than_it_promised(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    scripted.deaf_to = {"images/0"}  # all steps done, but the image cannot be handed over
    worker = started(scripted, start_worker, "--grace", "1")
    scripted.submit()
    wait_until(lambda: scripted.attempts and "uploading" in scripted.attempts[0].phases())
    worker.process.terminate()
    assert isinstance(scripted.attempt().ended, Release)
    assert worker.wait() == 0


def test_sigterm_while_the_libraries_are_being_imported_gives_the_task_back_at_once(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker, GPUGEN_GENERATOR="diffusers")
    scripted.submit()
    wait_until(lambda: scripted.attempts and "loading" in scripted.attempts[0].phases())
    told = time.monotonic()
    worker.process.terminate()
    attempt = scripted.attempt()
    assert isinstance(attempt.ended, Release)
    assert attempt.ended_at - told < 2
    assert worker.wait() == 0


def test_a_canceled_task_does_not_hold_up_the_end(scripted: ScriptedServer, start_worker: Start) -> None:
    scripted.cancel = True
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="20")
    scripted.submit()
    wait_until(lambda: scripted.attempts and scripted.attempts[0].beats)
    worker.process.terminate()
    assert isinstance(scripted.attempt().ended, Release)
    assert worker.wait(5) == 0


def test_a_second_signal_gives_the_task_back_now(scripted: ScriptedServer, start_worker: Start) -> None:
    worker = started(scripted, start_worker, "--grace", "60", GPUGEN_FAKE_STEP_SECONDS="0.2")
    scripted.submit(steps=100)
    wait_until(lambda: scripted.attempts and len(scripted.attempts[0].reports) > 3)
    worker.process.terminate()
    worker.wait_for_log("finishing")
    assert scripted.attempts[0].ended is None
    worker.process.terminate()
    assert isinstance(scripted.attempt().ended, Release)
    assert worker.wait() == 0


def test_heartbeats_go_on_during_a_long_step(scripted: ScriptedServer, start_worker: Start) -> None:
    scripted.heartbeat_seconds = 0.2
    started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="2.5")
    scripted.submit(steps=1)
    beats = scripted.attempt().beats
    gaps = [later - earlier for earlier, later in itertools.pairwise(beats)]
    assert len(beats) >= 9
    assert max(gaps) < 1.0


def test_there_are_at_most_ten_posts_a_second_and_all_phases_arrive(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.005")
    scripted.submit(steps=150)
    attempt = scripted.attempt()
    seconds = attempt.beats[-1] - attempt.beats[0]
    assert len(attempt.beats) <= 10 * seconds + 3
    assert attempt.phases() == ["loading", "drawing", "decoding", "uploading"]


def test_a_canceled_task_stops_within_a_step_and_keeps_its_lease_until_it_says_so(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.3")
    scripted.submit(steps=100)
    wait_until(lambda: scripted.attempts and len(scripted.attempts[0].reports) > 2)
    told = time.monotonic()
    scripted.cancel = True
    attempt = scripted.attempt()
    assert isinstance(attempt.ended, Failure)
    assert attempt.ended.code == "canceled"
    assert attempt.ended_at - told < 1.5  # a heartbeat and a step
    scripted.cancel = False
    scripted.submit()
    assert isinstance(scripted.attempt(1).ended, Completion)
    assert worker.process.poll() is None


def test_a_lost_lease_is_dropped_and_the_worker_goes_on(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.1")
    scripted.submit(steps=100)
    wait_until(lambda: bool(scripted.attempts))
    scripted.lost.add("lease0")
    scripted.submit(steps=1)
    assert isinstance(scripted.attempt(1).ended, Completion)
    assert scripted.attempts[0].ended is None
    assert not scripted.attempts[0].images
    assert "was dropped: it was lost" in worker.log


def test_a_worker_whose_heartbeats_do_not_arrive_drops_the_task_by_its_own_clock(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    scripted.lease_seconds = 1.5
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.1")
    scripted.deaf_to = {"events"}
    begun = time.monotonic()
    scripted.submit(steps=150)
    worker.wait_for_log("was dropped: it was lost")
    assert 1.0 < time.monotonic() - begun < 6
    assert not scripted.attempts[0].images
    scripted.deaf_to = set()
    scripted.submit(steps=1)
    assert isinstance(scripted.attempt(1).ended, Completion)


def test_an_image_and_the_end_are_sent_again_while_the_server_is_away(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    scripted.deaf_to = {"images/0", "complete"}
    worker = started(scripted, start_worker)
    scripted.submit()
    worker.wait_for_log("Trying again")
    scripted.deaf_to = {"complete"}
    wait_until(lambda: bool(scripted.attempts[0].images))
    scripted.deaf_to = set()
    assert isinstance(scripted.attempt().ended, Completion)


def test_a_forgotten_session_is_opened_anew(scripted: ScriptedServer, start_worker: Start) -> None:
    started(scripted, start_worker)
    scripted.submit()
    scripted.attempt()
    wait_until(lambda: len(scripted.claims) > 2)
    scripted.forget_sessions()
    scripted.submit()  # ends the waiting claim
    scripted.attempt(1)
    assert len(scripted.sessions) == 2


def test_a_worker_outlives_its_servers_absence(start_worker: Start) -> None:
    first = ScriptedServer()
    worker = start_worker(first.url)
    wait_until(lambda: bool(first.claims), 30)
    port = int(first.url.rsplit(":", 1)[1])
    first.close()
    worker.wait_for_log("Trying again in")
    second = ScriptedServer(port=port)
    try:
        second.submit()
        assert isinstance(second.attempt(seconds=40).ended, Completion)
    finally:
        second.close()


def test_a_registration_token_revoked_meanwhile_ends_the_worker(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker)
    scripted.refuse_registration = True
    scripted.forget_sessions()
    scripted.submit()
    assert worker.wait() == 3
    assert "token" in worker.log


def test_a_wrong_token_and_an_unreachable_server_exit_3_with_one_sentence(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    wrong = start_worker(scripted.url, token="wrong")
    away = start_worker("http://127.0.0.1:1")
    for worker, words in ((wrong, "token"), (away, "refused")):
        assert worker.wait() == 3
        assert words in worker.log
        assert worker.log.startswith("gpugen worker: ")
        assert worker.log.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        ([], {"GPUGEN_TOKEN": ""}, "--token-file"),
        (["--token-file", "/nowhere/token"], {}, "/nowhere/token"),
        (["--idle-exit", "soon"], {}, "duration"),
        (["--model", "emojy"], {}, "emoji"),
        (["--no-such-option"], {}, "No such option"),
        (["--batch", "0"], {}, "batch"),
        ([], {"GPUGEN_GENERATOR": "magic"}, "generator"),
        ([], {"GPUGEN_TOKEN": "\u201csecret\u201d"}, "The token"),
        (["--url", "http://[::1"], {}, "http://host:port"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(
    start_worker: Start, arguments: list[str], environ: dict[str, str], words: str
) -> None:
    worker = start_worker("http://127.0.0.1:1", *arguments, **environ)
    assert worker.wait() == 2
    assert words in worker.log
    assert "Traceback" not in worker.log


def test_without_an_address_the_worker_says_where_to_put_it(start_worker: Start) -> None:
    worker = start_worker("")
    assert worker.wait() == 2
    assert "--url" in worker.log


def test_a_missing_extra_is_named_with_its_install(start_worker: Start, tmp_path: Path) -> None:
    """An environment that has no diffusers: the interpreter hides it from its start on."""
    hidden = tmp_path / "site"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\n"
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'diffusers' else real(name, *a)\n"
    )
    worker = start_worker("http://127.0.0.1:1", GPUGEN_GENERATOR="diffusers", PYTHONPATH=str(hidden))
    assert worker.wait() == 2
    assert "needs diffusers" in worker.log
    assert "pip install 'gpugen[worker]'" in worker.log


def test_the_command_is_imported_without_torch_or_requests() -> None:
    heavy = "{'torch', 'requests', 'diffusers', 'PIL'}"
    code = f"import sys, gpugen_worker.command; print({heavy} & sys.modules.keys())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_a_canceled_drawing_that_does_not_stop_is_told_and_ends_the_process(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    scripted.cancel = True
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="60", GPUGEN_STOP_TIMEOUT="1")
    scripted.submit()
    ended = scripted.attempt().ended
    assert isinstance(ended, Failure)
    assert ended.code == "canceled"
    assert worker.wait(5) == 70
    assert "does not stop" in worker.log
    assert len(scripted.attempts[0].beats) < 10


def test_a_drawing_without_a_sign_of_life_is_told_and_ends_the_process(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="60", GPUGEN_STALL_TIMEOUT="1.5")
    scripted.submit()
    ended = scripted.attempt().ended
    assert isinstance(ended, Failure)
    assert (ended.code, ended.retryable) == ("timeout", True)
    assert worker.wait(5) == 70


def test_a_drawing_that_shows_life_may_take_longer_than_that(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.3", GPUGEN_STALL_TIMEOUT="1.5")
    scripted.submit(steps=8)
    assert isinstance(scripted.attempt().ended, Completion)


def test_a_drawing_that_goes_on_after_its_lease_is_lost_ends_the_process(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="60", GPUGEN_STOP_TIMEOUT="1")
    scripted.lost.add("lease0")
    scripted.submit()
    assert worker.wait(20) == 70


def test_a_task_received_after_the_signal_is_given_back_at_once(
    scripted: ScriptedServer, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = started(scripted, start_worker)

    def claim(*arguments: Any) -> Leases:
        worker.process.terminate()  # the claim goes with the completion, and its answer is under way
        time.sleep(0.3)
        return ScriptedServer.claim(scripted, *arguments)

    scripted.submit(steps=20)
    wait_until(lambda: bool(scripted.attempts))
    scripted.submit()
    monkeypatch.setattr(scripted, "claim", claim)
    assert isinstance(scripted.attempt(1).ended, Release)
    assert worker.wait() == 0


def test_a_disk_of_the_server_that_is_full_for_a_moment_is_waited_out(
    scripted: ScriptedServer, start_worker: Start
) -> None:
    scripted.full_for = {"events", "images/0", "complete"}
    worker = started(scripted, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.1")
    scripted.submit()
    worker.wait_for_log("Trying again")
    scripted.full_for = set()
    assert isinstance(scripted.attempt().ended, Completion)
