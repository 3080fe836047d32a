"""Following a task to its end, whatever its end is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes import DrawingWorker

from gpugen.background import Background
from gpugen.client import Client, Task
from gpugen.ending import Cancelled, Ending
from gpugen.status import Status
from gpugen.submission import Submission
from gpugen_protocol.errors import ServerUnreachable, TaskCanceled, TaskFailed
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import Failure


class Recorder:
    """A view that remembers; `on_draw` is called at every `draw`."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.endings: list[Ending] = []
        self.threads: set[str] = set()
        self.on_draw: Callable[[Status], None] = lambda status: None

    def open(self, status: Status, *, waits: bool) -> None:
        self.sentences.append(status.sentence)

    def draw(self, status: Status) -> None:
        self.sentences.append(status.sentence)
        self.threads.add(threading.current_thread().name)
        self.on_draw(status)

    def finish(self, ending: Ending) -> None:
        self.endings.append(ending)


@pytest.fixture
def view() -> Recorder:
    return Recorder()


@pytest.fixture
def cancel() -> threading.Event:
    return threading.Event()


@pytest.fixture
def submit(client: Client, view: Recorder, cancel: threading.Event) -> Callable[..., Submission]:
    """`submit(n=1, steps=3)`: a submission of a small task."""

    def make(n: int = 1, steps: int = 3) -> Submission:
        request = TaskRequest(prompt="a cat", n=n, steps=steps, width=64, height=64, seed=7)
        return Submission(client, Task(client, client.api.submit(request)), view, cancel)

    return make


def drawing(status: Status) -> bool:
    return status.progress is not None


def test_it_gives_the_images_it_has_shown_without_fetching_them_again(
    submit: Any,
    view: Recorder,
    drawing_worker: DrawingWorker,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = submit(n=2).follow()
    (ending,) = view.endings
    monkeypatch.setattr(client.api, "image", lambda *_: pytest.fail("fetched again"))

    assert [result.png(index) for index in (0, 1)] == list(ending.pngs)
    assert result.seeds == [7, 8]
    assert ending.error is None
    assert any("step" in sentence.lower() for sentence in view.sentences)


def test_the_button_cancels_and_that_is_an_error_so_that_a_notebook_stops(
    submit: Any, view: Recorder, cancel: threading.Event, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.seconds_per_step = 0.05
    view.on_draw = lambda status: cancel.set() if drawing(status) else None
    with pytest.raises(TaskCanceled):
        submit(steps=100).follow()

    assert view.endings[0].task.state == "canceled"
    assert "Stopping" in view.sentences


def test_a_failed_task_keeps_its_finished_images(
    submit: Any, view: Recorder, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.failure = Failure(code="error", message="It broke.")
    with pytest.raises(TaskFailed, match="It broke"):
        submit(n=2).follow()
    (ending,) = view.endings
    assert len(ending.pngs) == 1


def test_an_interrupt_cancels_on_the_server(
    submit: Any, view: Recorder, server: Any, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.seconds_per_step = 0.05
    interrupts = iter([KeyboardInterrupt])

    def interrupt_once(status: Status) -> None:
        if drawing(status) and (error := next(interrupts, None)):
            raise error

    view.on_draw = interrupt_once
    with pytest.raises(Cancelled, match="was canceled"):
        submit(steps=100).follow()

    assert [task.state for task in server.tasks().list().tasks] == ["canceled"]
    assert len(view.endings) == 1


def test_an_interrupt_that_the_server_cannot_be_told_of_says_so(
    submit: Any, view: Recorder, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise ServerUnreachable("Nobody answers.")

    def interrupt(_: Status) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client.api, "cancel", fail)
    view.on_draw = interrupt
    with pytest.raises(Cancelled, match=r"could not be told: task \w+ may go on\. `%gpugen cancel \w+`"):
        submit().follow()
    assert [str(ending.error) for ending in view.endings] == ["Nobody answers."]


def test_a_second_interrupt_leaves_at_once_and_still_tidies_up(
    submit: Any, view: Recorder, server: Any, drawing_worker: DrawingWorker, wait_until: Any
) -> None:
    drawing_worker.seconds_per_step = 0.01
    asked_at: list[float] = []

    def interrupt(status: Status) -> None:
        if drawing(status):
            drawing_worker.hold()
            asked_at.append(time.monotonic())
            raise KeyboardInterrupt

    view.on_draw = interrupt
    with pytest.raises(Cancelled):
        submit(steps=100).follow()

    assert len(asked_at) == 2
    assert time.monotonic() - asked_at[1] < 1.0
    assert len(view.endings) == 1
    drawing_worker.go_on()
    wait_until(lambda: server.tasks().list().tasks[0].state == "canceled")


def test_what_is_sent_off_is_followed_in_a_thread_until_somebody_waits(
    submit: Any, view: Recorder, drawing_worker: DrawingWorker, wait_until: Any
) -> None:
    drawing_worker.hold()
    background = Background(submit())
    wait_until(lambda: view.threads)
    assert background.running
    assert not any(name == "MainThread" for name in view.threads)

    view.threads.clear()
    drawing_worker.go_on()
    result = background.wait()
    assert len(result) == 1
    assert view.endings


def test_what_ended_in_the_background_is_shown_again_where_somebody_waits(
    submit: Any, view: Recorder, drawing_worker: DrawingWorker, wait_until: Any
) -> None:
    drawing_worker.failure = Failure(code="error", message="It broke.")
    background = Background(submit())
    wait_until(lambda: not background.running)
    assert len(view.endings) == 1

    with pytest.raises(TaskFailed, match="It broke"):
        background.wait()
    assert view.endings == [view.endings[0]] * 2
