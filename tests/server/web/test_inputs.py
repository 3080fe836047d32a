"""Images that tasks start from, through the real server."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from gpugen_protocol.errors import BodyTooLarge, InvalidImage, InvalidRequest, NotFound, TooManyRequests
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest
from gpugen_server.queue import inputs

NOBODY = "0" * 26


def files(server):
    return list(server.settings.images.rglob("*.p*"))


def age(server):
    server.query(lambda store: store.change("UPDATE inputs SET used_at = 1"))


def forget(server):
    server.server._services.images.remove(server.query(inputs.forget))


def test_an_image_goes_from_the_user_to_the_worker_of_the_task(tasks, worker_api, png):
    kept = tasks.add_input(png(80, 40, "blue", "JPEG"))
    assert (kept.width, kept.height) == (80, 40)
    task = tasks.submit(TaskRequest(prompt="a cat", model="sd15", init_image=kept.id, mask_image=kept.id))
    assert (task.request.init_image, task.request.strength) == (kept.id, 1.0)
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    with Image.open(io.BytesIO(worker_api.input(lease.id, kept.id))) as image:
        assert (image.format, image.size) == ("PNG", (80, 40))
        assert image.getpixel((9, 9))[2] > 200
    with pytest.raises(NotFound):
        worker_api.input(lease.id, NOBODY)


def test_the_same_image_again_is_the_same_input(server, tasks, png):
    first = tasks.add_input(png(40, 40))
    assert tasks.add_input(png(40, 40)) == first
    assert tasks.add_input(png(40, 40, "blue")) != first
    assert server.tasks(server.make_token("user", "bob")).add_input(png(40, 40)).id != first.id
    assert len(files(server)) == 3


@pytest.mark.parametrize(
    "bad",
    [lambda png: b"nonsense", lambda png: png(2049, 8), lambda png: png(64, 64)[:90], lambda png: b""],
)
def test_what_is_no_image_of_a_size_that_can_be_drawn_is_refused(server, tasks, png, bad):
    with pytest.raises(InvalidImage):
        tasks.add_input(bad(png))
    assert files(server) == []


def test_a_body_that_no_image_needs_is_refused(tasks):
    with pytest.raises(BodyTooLarge):
        tasks.add_input(b"x" * 26_000_000)


def test_nobody_draws_from_an_image_of_somebody_else_or_none(server, tasks, png):
    other = server.tasks(server.make_token("user", "bob")).add_input(png(40, 40))
    for wanted in (other.id, NOBODY):
        with pytest.raises(InvalidRequest, match="there is no input"):
            tasks.submit(TaskRequest(prompt="a cat", init_image=wanted))
    assert tasks.list().tasks == ()


def test_a_model_that_cannot_start_from_an_image_says_so(tasks, png):
    kept = tasks.add_input(png(40, 40))
    with pytest.raises(InvalidRequest, match="emoji cannot draw a part of an image anew"):
        tasks.submit(TaskRequest(prompt="a cat", init_image=kept.id, mask_image=kept.id))
    with pytest.raises(InvalidRequest, match="leave no step to draw"):
        tasks.submit(TaskRequest(prompt="a cat", init_image=kept.id, strength=0.01))


def test_an_image_stays_as_long_as_a_task_needs_it_and_else_for_a_day(server, tasks, png):
    used, unused = tasks.add_input(png(40, 40)), tasks.add_input(png(40, 40, "blue"))
    task = tasks.submit(TaskRequest(prompt="a cat", init_image=used.id))
    forget(server)
    assert len(files(server)) == 2, "nothing is a day old"
    age(server)
    forget(server)
    assert len(files(server)) == 1
    with pytest.raises(InvalidRequest):
        tasks.submit(TaskRequest(prompt="a cat", init_image=unused.id))

    tasks.cancel(task.id)
    assert tasks.retry(task.id).request.init_image == used.id
    for each in tasks.list().tasks:
        tasks.cancel(each.id)
        tasks.delete(each.id)
    age(server)
    forget(server)
    assert files(server) == []


def test_somebody_who_sends_images_and_no_tasks_is_stopped(tasks, png, monkeypatch):
    monkeypatch.setattr(inputs, "MAX_WAITING", 2)
    for color in ("red", "blue"):
        tasks.add_input(png(8, 8, color))
    with pytest.raises(TooManyRequests, match="2 images wait"):
        tasks.add_input(png(8, 8, "green"))
