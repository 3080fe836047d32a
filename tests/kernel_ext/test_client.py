from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
from tests.fakes import DrawingWorker, until

import gpugen
from gpugen.client import Client, build_request
from gpugen_protocol.errors import (
    GpugenError,
    InvalidRequest,
    NotFound,
    ServerUnreachable,
    TaskCanceled,
    TaskFailed,
    Unauthorized,
    UnknownModel,
)
from gpugen_protocol.events import ImageEvent, ProgressEvent, StateEvent
from gpugen_protocol.worker import Failure


def test_generate_gives_the_images_of_the_prompt(client: Client, drawing_worker: DrawingWorker) -> None:
    result = client.generate("a slice of pizza", n=2, seed=7, steps=3, width=64, height=32)
    assert [image.size for image in result.images] == [(64, 32), (64, 32)]
    assert result.seeds == [7, 8]
    assert result.task.state == "succeeded"
    assert [recipe.prompt for recipe in result.recipes] == ["a slice of pizza"] * 2
    assert result.recipe.task == result.task.id


def test_events_tell_the_whole_story_and_end(client: Client, drawing_worker: DrawingWorker) -> None:
    drawing_worker.seconds_per_step = 0.05
    task = client.submit("a cat", steps=5)
    events = list(task.events())
    states = [event.state for event in events if isinstance(event, StateEvent)]
    assert states == ["queued", "running", "succeeded"]
    assert [event.index for event in events if isinstance(event, ImageEvent)] == [0]
    assert any(isinstance(event, ProgressEvent) for event in events)
    assert task.state == "succeeded"


def test_images_finished_so_far_can_be_had_while_the_rest_is_drawn(
    client: Client, drawing_worker: DrawingWorker
) -> None:
    task = client.submit("a cat", n=2, steps=2)
    watch = task.watch()
    while not isinstance(watch.get(10), ImageEvent):
        pass
    drawing_worker.hold()
    assert len(task.images) >= 1
    drawing_worker.go_on()
    assert len(task.wait(20).images) == 2


def test_waiting_has_a_limit_and_the_task_goes_on(client: Client, drawing_worker: DrawingWorker) -> None:
    drawing_worker.hold()
    task = client.submit("a cat")
    with pytest.raises(TimeoutError, match="goes on"):
        task.wait(timeout=0.2)
    drawing_worker.go_on()
    assert len(task.wait()) == 1


def test_a_canceled_task_raises_in_whoever_waits(client: Client, drawing_worker: DrawingWorker) -> None:
    drawing_worker.hold()
    task = client.submit("a cat")
    until(lambda: task.state == "running")
    threading.Timer(0.1, task.cancel).start()
    with pytest.raises(TaskCanceled, match=task.id) as caught:
        task.wait(20)
    assert caught.value.task == task.id


def test_a_failed_task_says_which_why_and_what_to_do(client: Client, drawing_worker: DrawingWorker) -> None:
    drawing_worker.failure = Failure(code="out_of_memory", message="The GPU is full.", hint="Ask for less.")
    with pytest.raises(TaskFailed, match=r"The GPU is full\. Ask for less\.") as caught:
        client.generate("a cat", n=2)
    assert caught.value.reason == "out_of_memory"
    assert client.task(caught.value.task).record.images[0].index == 0


def test_of_a_failed_task_without_a_hint_the_finished_images_are_named(
    client: Client, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.failure = Failure(code="error", message="Broken.")
    with pytest.raises(TaskFailed, match="1 of 2 images were finished"):
        client.generate("a cat", n=2)


def test_a_keyword_that_is_no_field_names_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="Did you mean guidance"):
        build_request("a cat", guidence=3)
    with pytest.raises(InvalidRequest, match="A request may have prompt"):
        build_request("a cat", zzz=3)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"width": 100}, "The nearest are 96 and 104"),
        ({"height": 3}, "must be"),
        ({"steps": 0}, "steps: must be >= 1"),
        ({"n": 17}, "n: must be <= 16"),
        ({"seed": -1}, "seed: must be >= 0"),
        ({"seed": 2**53}, "seed"),
        ({"guidance": "much"}, "guidance: must be float"),
        ({"scheduler": "magic"}, "Write one of ddim, "),
    ],
)
def test_a_value_out_of_bounds_is_refused_before_anything_is_sent(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build_request("a cat", **fields)
    assert words in str(caught.value)


@pytest.mark.parametrize("prompt", ["", "  \n", "x" * 4001])
def test_a_prompt_that_is_empty_or_endless_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidRequest, match="prompt"):
        build_request(prompt)


def test_an_unknown_model_is_refused_by_the_server(client: Client) -> None:
    with pytest.raises(UnknownModel, match="emoji"):
        client.submit("a cat", model="emojy")


def test_another_users_task_is_not_there(server: Any, client: Client) -> None:
    task = client.submit("a cat")
    with Client(server.url, server.make_token("user", "somebody")) as other, pytest.raises(NotFound):
        other.task(task.id)
    task.cancel()


def test_a_wrong_token_is_one_sentence(server: Any) -> None:
    with pytest.raises(Unauthorized):
        Client(server.url, "wrong").submit("a cat")


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:9"):
        Client("http://127.0.0.1:9", "token").submit("a cat")


def test_models_and_workers_are_listed(client: Client, drawing_worker: DrawingWorker) -> None:
    assert "emoji" in [model.name for model in client.models()]
    until(client.workers)
    assert client.workers()[0].name == "fake"


def test_an_interrupt_cancels_the_task_on_the_server(
    server: Any, client: Client, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.hold()
    program = (
        "import gpugen, sys\n"
        f"client = gpugen.Client({server.url!r}, {server.user_token!r})\n"
        "try:\n    client.generate('a cat')\n"
        "except KeyboardInterrupt:\n    print(client.api.list().tasks[0].state)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    until(lambda: drawing_worker.claimed, 20)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0].strip() == "canceled"


def test_what_is_not_used_is_not_loaded() -> None:
    program = (
        "import sys, gpugen\n"
        "assert not {'requests', 'websockets', 'PIL', 'IPython', 'click', 'rich'} & set(sys.modules)\n"
        "from gpugen import *\n"
        "print(Client.__name__, sorted(set(gpugen.__all__) - set(dir(gpugen))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Client []", done.stderr


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clint'"):
        _ = gpugen.Clint


def test_every_error_is_under_one_base() -> None:
    assert issubclass(gpugen.TaskFailed, gpugen.GpugenError)
    assert gpugen.GpugenError is GpugenError


def test_a_restarted_server_is_no_reason_to_lose_a_task(
    server: Any, client: Client, drawing_worker: DrawingWorker
) -> None:
    task = client.submit("a cat", steps=20)
    drawing_worker.seconds_per_step = 0.05
    watch = task.watch()
    until(lambda: watch.seq >= 3)
    server.restart()
    assert len(task.wait(40)) == 1
