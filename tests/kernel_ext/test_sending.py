"""What is interrupted before anybody follows it does not go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes import DrawingWorker

from gpugen.client import Client, Task, build_request
from gpugen.sending import Sending
from gpugen_client.tasks import Tasks
from gpugen_protocol.errors import ServerUnreachable

Interrupt = Callable[..., None]


@pytest.mark.parametrize("call", ["submit", "generate"])
@pytest.mark.parametrize("after", [False, True])
def test_an_interrupted_submission_is_taken_back_though_nobody_knows_its_id(
    client: Client, interrupt: Interrupt, call: str, after: bool
) -> None:
    interrupt(Tasks, "submit", after=after)
    with pytest.raises(KeyboardInterrupt):
        getattr(client, call)("a cat")
    assert [task.state for task in client.api.list().tasks] == ["canceled"]


def test_one_that_a_worker_has_begun_meanwhile_is_stopped(
    client: Client, interrupt: Interrupt, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.seconds_per_step = 0.05
    interrupt(Task, "__init__", after=True)
    with pytest.raises(KeyboardInterrupt):
        client.submit("a cat", n=4, steps=100)
    (task,) = client.api.list().tasks
    assert task.state == "canceled"


def test_the_same_key_starts_nothing_twice(client: Client) -> None:
    request = build_request("a cat")
    assert client.send(request, "one").id == client.send(request, "one").id
    assert client.send(request).id != client.send(request).id


def test_what_was_refused_is_not_asked_for_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sending = Sending()
    asked: list[Any] = []

    def refuse(*args: Any) -> None:
        asked.append(args)
        raise ServerUnreachable("Nobody answers.")

    monkeypatch.setattr(client.api, "submit", refuse)
    with pytest.raises(ServerUnreachable):
        sending.send(client, build_request("a cat"))
    sending.take_back()
    assert len(asked) == 1
    assert sending.farewell("gpugen") == "Nothing was submitted."


def test_what_is_known_is_canceled_though_the_rest_cannot_be_asked_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending = Sending()
    first = sending.send(client, build_request("a cat"))
    answers: list[BaseException] = [KeyboardInterrupt(), ServerUnreachable("Nobody answers.")]

    def lose(*_: Any) -> None:
        raise answers.pop(0)

    monkeypatch.setattr(client.api, "submit", lose)
    with pytest.raises(KeyboardInterrupt):
        sending.send(client, build_request("a dog"))
    sending.take_back()
    assert first.state == "canceled"
    assert "what was sent may go on. `gpugen queue`" in sending.farewell("gpugen")


def test_a_server_that_cannot_be_told_is_not_said_to_have_stopped(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending = Sending()
    task = sending.send(client, build_request("a cat"))

    def fail(_: str) -> None:
        raise ServerUnreachable("Nobody answers.")

    monkeypatch.setattr(client.api, "cancel", fail)
    sending.take_back()
    assert sending.pending
    assert sending.farewell("gpugen") == (
        f"The server could not be told: task {task.id} may go on. `gpugen cancel {task.id}` when it is back."
    )
