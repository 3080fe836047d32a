"""How one task ends: what the generator does wrong, and what the server refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from tests.worker.scripted_server import REGISTRATION, Attempt, ScriptedServer

from gpugen_client.claims import WorkerApi
from gpugen_protocol import errors
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.worker import Completion, Failure, SessionRequest
from gpugen_worker.generator import DrawingFailed, Observer, Start
from gpugen_worker.log import log
from gpugen_worker.loop import Loop
from gpugen_worker.session import ServerSession
from gpugen_worker.stop import Stop


class Scripted:
    """A generator that ends as a test says, after one image."""

    models, loaded = ("emoji",), ()

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def draw(self, request: ResolvedRequest, observer: Observer, start: Start) -> Iterator[Image.Image]:
        observer.phase("drawing")
        observer.step(0, 1, 1, 0.1)
        yield Image.new("RGB", (request.width, request.height))
        if self.error is not None:
            raise self.error


@pytest.fixture
def work(scripted: ScriptedServer) -> Callable[..., Attempt]:
    """`work(generator, **request)`: what a worker made of one task, in this thread."""

    def work(generator: Scripted, **request: object) -> Attempt:
        scripted.submit(**request)
        api = WorkerApi(scripted.url, REGISTRATION)
        session = ServerSession(api, SessionRequest(name="w", version="1"))
        Loop(session, generator, Stop(1.0), once=True).run()
        return scripted.attempts[-1]

    return work


def test_a_server_that_has_no_time_for_a_worker_yet_is_waited_for(
    scripted: ScriptedServer, work: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, refusals = scripted.session, [errors.TooManyRequests(retry_after=0.01) for _ in range(2)]

    def session(body: bytes, token: str) -> object:
        if refusals:
            raise refusals.pop()
        return taken(body, token)

    monkeypatch.setattr(scripted, "session", session)
    assert isinstance(work(Scripted(), n=1).ended, Completion)


def test_a_drawing_that_failed_is_told_with_its_code_and_hint(work: Callable[..., Attempt]) -> None:
    error = DrawingFailed("out_of_memory", "Too large.", hint="Smaller.", retryable=True)
    attempt = work(Scripted(error), n=2)
    assert attempt.ended == Failure(
        code="out_of_memory", message="Too large.", hint="Smaller.", retryable=True
    )
    assert list(attempt.images) == [0]


@pytest.mark.parametrize(("error", "retryable"), [(RuntimeError("odd\nmore"), True), (KeyError("x"), False)])
def test_an_unforeseen_error_is_one_line_and_tried_again_only_where_the_machine_may_be_at_fault(
    work: Callable[..., Attempt], error: Exception, retryable: bool
) -> None:
    ended = work(Scripted(error), n=2).ended
    assert isinstance(ended, Failure)
    assert (ended.code, ended.retryable) == ("error", retryable)
    assert "\n" not in ended.message
    assert type(error).__name__ in ended.message
    assert "log" in ended.hint


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (errors.StorageFull("The disk is full.", hint="Free some."), "storage_full"),
        (errors.InvalidImage("No image."), "invalid_image"),
        (errors.Conflict("Other bytes."), "error"),
    ],
)
def test_an_image_that_the_server_refuses_fails_the_task_in_the_servers_words(
    work: Callable[..., Attempt],
    scripted: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    refusal: errors.GpugenError,
    code: str,
) -> None:
    def on_lease(attempt: Attempt, action: str, body: bytes) -> object:
        if action.startswith("images/"):
            raise refusal
        return ScriptedServer.on_lease(scripted, attempt, action, body)

    scripted.lease_seconds = 1.0  # as long a full disk is waited for
    monkeypatch.setattr(scripted, "on_lease", on_lease)
    ended = work(Scripted()).ended
    assert ended == Failure(code=code, message=refusal.message, hint=refusal.hint)


def test_a_name_that_is_no_text_does_not_break_what_is_told(work: Callable[..., Attempt]) -> None:
    ended = work(Scripted(DrawingFailed("error", "No /models/\udcff.", hint="\udcfe")), n=2).ended
    assert ended == Failure(code="error", message="No /models/?.", hint="?")


def test_a_heartbeat_that_breaks_off_drops_the_task_and_not_the_worker(
    work: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def report(*_: object) -> None:
        raise ValueError("never foreseen")

    monkeypatch.setattr(ServerSession, "report", report)
    monkeypatch.setattr(log, "propagate", True)
    assert work(Scripted()).ended is None
    assert "never foreseen" in caplog.text


def test_times_of_the_phases_go_with_the_completion(work: Callable[..., Attempt]) -> None:
    ended = work(Scripted()).ended
    assert isinstance(ended, Completion)
    assert ended.loading_seconds == 0.0
    assert 0 < ended.drawing_seconds < 5
