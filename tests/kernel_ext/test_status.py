"""A task's events become what a person is told."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gpugen.status import Status
from gpugen_protocol.events import (
    ImageEvent,
    LogEvent,
    NoticeEvent,
    PhaseEvent,
    PreviewEvent,
    ProgressEvent,
    SnapshotEvent,
    StateEvent,
)
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.task import Image, Task

COMMON: dict[str, Any] = {"task": "t", "at": "2026-01-01T00:00:00Z"}


def task(n: int = 1, **fields: Any) -> Task:
    request = ResolvedRequest(
        prompt="a cat",
        model="emoji",
        width=64,
        height=64,
        steps=20,
        guidance=3.0,
        seed=7,
        n=n,
        scheduler="ddim",
    )
    known = {"id": "t", "state": "queued", "phase": "queued", "user": "local", "created_at": "x", **fields}
    return Task(request=request, **known)


def phase(name: Any, text: str = "") -> PhaseEvent:
    return PhaseEvent(**COMMON, seq=2, phase=name, text=text)


def step(step: int, image: int = 0, pace: float | None = 0.5) -> ProgressEvent:
    return ProgressEvent(**COMMON, image=image, step=step, steps=20, seconds_per_step=pace)


def image(index: int) -> ImageEvent:
    return ImageEvent(**COMMON, seq=3 + index, index=index, sha256="", seed=7 + index)


def after(*events: Any, n: int = 1) -> Status:
    status = Status(task(n))
    for event in events:
        status.apply(event)
    return status


@pytest.mark.parametrize(
    ("events", "stage", "sentence"),
    [
        ([], 0, "Waiting for a worker"),
        ([phase("queued", "waiting for a worker that has sdxl")], 0, "Waiting for a worker that has sdxl"),
        ([phase("starting", "Starting a GPU machine")], 1, "Starting a GPU machine"),
        ([phase("loading")], 2, "Loading the model"),
        ([phase("drawing")], 3, "Drawing"),
        ([phase("drawing"), step(12, pace=0.07)], 3, "Step 12 of 20 · 0.07 s a step"),
        ([phase("drawing"), step(20), phase("decoding")], 3, "Finishing the picture"),
        ([phase("canceling")], 0, "Stopping"),
        ([phase("drawing"), step(3), phase("canceling"), step(4)], 3, "Stopping"),
    ],
)
def test_the_stage_and_the_sentence_follow_the_phase(events: list[Any], stage: int, sentence: str) -> None:
    status = after(*events)
    assert (status.stage, status.sentence) == (stage, sentence)


def test_nothing_is_said_of_progress_before_the_first_step() -> None:
    status = after(phase("drawing"))
    assert (status.fraction, status.remaining) == (None, None)


def test_several_images_share_one_bar() -> None:
    status = after(phase("drawing"), step(20), image(0), step(10, image=1), n=4)
    assert status.fraction == pytest.approx(30 / 80)
    assert status.remaining == pytest.approx(50 * 0.5)
    assert status.sentence.startswith("Image 2 of 4, step 10 of 20")


def test_a_handed_over_image_counts_once() -> None:
    status = after(phase("drawing"), step(20, image=0), image(0), n=4)
    assert status.fraction == pytest.approx(20 / 80)


def test_the_next_image_is_drawing_again_after_one_was_handed_over() -> None:
    status = after(phase("drawing"), step(20), phase("uploading"), image(0), step(1, image=1), n=2)
    assert status.sentence.startswith("Image 2 of 2, step 1 of 20")


def test_the_steps_of_an_image_are_not_said_of_the_next_one() -> None:
    status = after(step(20), image(0), phase("drawing", "Drawing image 2 of 4"), n=4)
    assert status.sentence == "Drawing image 2 of 4"


def test_a_warning_of_the_worker_is_kept_once_even_if_a_snapshot_is_newer() -> None:
    warning = LogEvent(**COMMON, seq=2, level="warning", message="Not read: and a bike")
    snapshot = SnapshotEvent(**COMMON, seq=5, data=task())
    assert after(snapshot, warning, warning).warnings == ["Not read: and a bike"]


def test_images_drawn_together_never_fill_the_bar_beyond_its_end() -> None:
    status = after(step(20), image(0), image(1), step(20), n=2)
    assert status.fraction == 1.0


def test_a_finished_image_takes_the_place_of_its_preview() -> None:
    preview = PreviewEvent(**COMMON, image=1, step=3, data=base64.b64encode(b"jpeg").decode())
    status = after(preview, n=2)
    assert status.previews == {1: b"jpeg"}
    status.apply(image(1))
    assert (status.previews, status.announced) == ({}, {1})


def test_another_attempt_starts_over() -> None:
    status = after(phase("drawing"), step(12), phase("queued", "the worker was lost"))
    assert (status.fraction, status.stage) == (None, 0)


def test_images_of_an_earlier_attempt_are_void() -> None:
    status = after(StateEvent(**COMMON, seq=2, state="running"), image(0), n=2)
    status.images[0] = b"png"
    status.apply(StateEvent(**COMMON, seq=5, state="queued"))
    assert (status.announced, status.images) == (set(), {})


def test_a_snapshot_of_another_attempt_voids_the_images_of_the_one_before() -> None:
    status = after(image(0), n=2)
    status.images[0] = b"png"
    status.apply(SnapshotEvent(**COMMON, seq=9, data=task(n=2, state="running", attempt=2)))
    assert (status.announced, status.images) == (set(), {})


def test_images_stay_when_the_connection_was_lost_for_a_moment_or_the_task_ends() -> None:
    status = after(image(0), n=2)
    status.images[0] = b"png"
    status.apply(SnapshotEvent(**COMMON, seq=9, data=task(n=2, state="running", attempt=1)))
    status.apply(StateEvent(**COMMON, seq=10, state="succeeded"))
    assert status.images == {0: b"png"}


def test_a_snapshot_tells_all_at_once() -> None:
    entry = Image(index=0, seed=7, width=64, height=64, bytes=1, sha256="")
    now = task(n=2, state="running", phase="loading", images=(entry,))
    status = after(SnapshotEvent(**COMMON, seq=9, data=now), n=2)
    assert (status.state, status.phase, status.announced) == ("running", "loading", {0})


def test_a_terminal_state_finishes_it() -> None:
    assert after(StateEvent(**COMMON, seq=9, state="succeeded")).finished


def test_degraded_updates_are_noted_until_progress_arrives() -> None:
    notice = NoticeEvent(at="x", code="live_updates_degraded", message="Live updates are slow.")
    assert after(notice).degraded == "Live updates are slow."
    assert after(notice, step(1)).degraded == ""


def waits(position: int | None, eta: float | None) -> PhaseEvent:
    data = {"reason": "busy", "position": position, "eta_seconds": eta}
    return PhaseEvent(**COMMON, seq=2, phase="queued", text="2 tasks before yours", data=data)


def test_the_wait_that_a_phase_tells_is_taken_over_and_counted_down() -> None:
    now = [100.0]
    status = Status(task(eta_seconds=90.0, queue_position=5), lambda: now[0])
    now[0] += 20
    assert status.eta == 70
    status.apply(waits(3, 40.0))
    assert (status.task.queue_position, status.eta) == (3, 40.0)
    assert status.sentence == "2 tasks before yours"
    now[0] += 15
    assert status.eta == 25
    now[0] += 60
    assert status.eta == 0


def test_a_wait_of_unknown_length_is_not_guessed_and_steps_end_the_guessing() -> None:
    status = Status(task(eta_seconds=90.0))
    status.apply(waits(None, None))
    assert status.eta is None
    status.apply(waits(1, 30.0))
    status.apply(step(3))
    assert status.eta is None
