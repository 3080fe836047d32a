import http.client
import io
import json
import os
import threading

import pytest
import requests
from PIL import Image

from gpugen_client.claims import WorkerApi
from gpugen_protocol.errors import BodyTooLarge, Conflict, InvalidImage, NotFound
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, SessionRequest
from gpugen_server.images.directory import Directory


def files(server):
    return list(server.settings.images.rglob("*.p*"))


def test_an_image_is_there_as_soon_as_it_is_uploaded_with_its_recipe(tasks, worker_api, lease, png):
    worker_api.upload(lease.id, 1, png(64, 64))
    with Image.open(io.BytesIO(tasks.image(lease.task.id, 1))) as image:
        assert image.getpixel((0, 0)) == (200, 30, 30)
        recipe = json.loads(image.text["gpugen"])
    assert (recipe["seed"], recipe["index"], recipe["task"]) == (8, 1, lease.task.id)
    assert [image.index for image in tasks.get(lease.task.id).images] == [1]
    with pytest.raises(NotFound):
        tasks.image(lease.task.id, 0)


def test_the_recipe_names_weights_device_and_libraries_as_the_worker_says(server, tasks, png):
    api = WorkerApi(server.url, server.worker_token)
    libraries = {"torch": "2.9", "diffusers": "0.42"}
    api.open_session(SessionRequest(name="w", version="0.1.0", device="cpu", libraries=libraries))
    task = tasks.submit(TaskRequest(prompt="a cat", width=64, height=64, n=2))
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    for index, revision in enumerate(("abc123", "no/revision")):
        api.upload(lease.id, index, png(64, 64), revision)
    recipes = []
    for index in (0, 1):
        with Image.open(io.BytesIO(tasks.image(task.id, index))) as image:
            recipes.append(json.loads(image.text["gpugen"]))
    assert [recipe["revision"] for recipe in recipes] == ["abc123", ""]
    assert recipes[0]["reported"] == {"device": "cpu", **libraries}


def test_the_same_bytes_again_are_fine_and_others_are_a_conflict(server, tasks, worker_api, lease, png):
    for _ in range(2):
        worker_api.upload(lease.id, 0, png(64, 64))
    with pytest.raises(Conflict):
        worker_api.upload(lease.id, 0, png(64, 64, "blue"))
    assert len(files(server)) == 1
    assert len([event for event in tasks.events(lease.task.id).events if hasattr(event, "sha256")]) == 1


def test_a_refused_image_may_be_sent_anew(server, worker_api, lease, png):
    for bad in (b"nonsense", png(32, 32), png(64, 64)[:40]):
        with pytest.raises(InvalidImage):
            worker_api.upload(lease.id, 0, bad)
    assert files(server) == []
    worker_api.upload(lease.id, 0, png(64, 64))


def test_an_image_larger_than_its_task_allows_is_refused(worker_api, lease):
    with pytest.raises(BodyTooLarge):
        worker_api.upload(lease.id, 0, b"x" * (64 * 64 * 6 + 65_537))


@pytest.mark.parametrize("index", ["2", "-1", "x", "1.0", "%00", "99999999999999999999"])
def test_an_image_that_was_not_asked_for_is_not_found(server, worker_api, lease, png, index):
    answer = requests.put(
        f"{server.url}/api/v1/worker/leases/{lease.id}/images/{index}",
        data=png(64, 64),
        headers={"Authorization": f"Bearer {worker_api._connection.token}"},
        timeout=10,
    )
    assert answer.status_code == 404


def test_images_of_a_finished_task_are_cached_for_ever_and_by_nobody_else(ask, tasks, worker_api, lease, png):
    worker_api.upload(lease.id, 0, png(64, 64))
    path = f"/api/v1/tasks/{lease.task.id}/images/0"
    assert ask("GET", path).headers["Cache-Control"] == "private, no-cache"  # another attempt may follow
    tasks.cancel(lease.task.id)
    worker_api.release(lease.id, "")
    answer = ask("GET", path)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    tag = answer.headers["Etag"]
    for known in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        again = ask("GET", path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["Etag"]) == (304, b"", tag)
    assert ask("GET", path, headers={"If-None-Match": f'"x{tag[1:]}, "*"'}).status_code == 200
    small = ask("GET", path + "?thumbnail=64", headers={"If-None-Match": answer.headers["Etag"]})
    assert small.status_code == 200


def test_a_thumbnail_is_smaller(make_server, png):
    server = make_server()
    from gpugen_protocol.request import TaskRequest
    from gpugen_protocol.worker import ClaimRequest

    tasks, api = server.tasks(), server.worker()
    task = tasks.submit(TaskRequest(prompt="a", width=512, height=256))
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    api.upload(lease.id, 0, png(512, 256))
    api.complete(lease.id, Completion())

    def get(query):
        return tasks.connection.send("GET", f"/api/v1/tasks/{task.id}/images/0", params=query).content

    assert Image.open(io.BytesIO(get({"thumbnail": 256}))).size == (256, 128)
    assert Image.open(io.BytesIO(get({}))).size == (512, 256)


@pytest.mark.parametrize("thumbnail", ["0", "65", "99999", "x"])
def test_odd_thumbnails_are_refused(ask, lease, thumbnail):
    assert ask("GET", f"/api/v1/tasks/{lease.task.id}/images/0?thumbnail={thumbnail}").status_code == 400


def test_an_image_whose_file_is_gone_is_not_found(server, tasks, worker_api, lease, png):
    worker_api.upload(lease.id, 0, png(64, 64))
    files(server)[0].unlink()
    with pytest.raises(NotFound, match="gone"):
        tasks.image(lease.task.id, 0)


def test_a_lease_lost_during_the_upload_leaves_no_file(server, worker_api, lease, png, monkeypatch):
    write = Directory.write

    def write_and_lose(self, *args):
        server.sql("UPDATE tasks SET lease = 'another'")
        return write(self, *args)

    monkeypatch.setattr(Directory, "write", write_and_lose)
    with pytest.raises(Conflict):
        worker_api.upload(lease.id, 0, png(64, 64))
    assert files(server) == []


def test_files_that_a_killed_server_has_written_for_nothing_are_gone_after_the_next_start(
    server, tasks, worker_api, lease, png, wait_until
):
    worker_api.upload(lease.id, 0, png(64, 64))
    (kept,) = files(server)
    old, new = (kept.with_name(f"{lease.task.id}-1-1-{digit * 8}.png") for digit in "12")
    for path in (old, new):
        path.write_bytes(b"")
    for path in (old, kept):
        os.utime(path, (1, 1))
    server.restart()
    wait_until(lambda: not old.exists())
    assert sorted(files(server)) == sorted([kept, new])


def test_a_stop_waits_for_an_upload_whose_worker_hung_up(server, worker_api, lease, png, monkeypatch):
    write, begun, go = Directory.write, threading.Event(), threading.Event()

    def write_slowly(self, *args):
        begun.set()
        go.wait(10)
        return write(self, *args)

    monkeypatch.setattr(Directory, "write", write_slowly)
    caller = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    headers = {"Authorization": f"Bearer {worker_api._connection.token}"}
    caller.request("PUT", f"/api/v1/worker/leases/{lease.id}/images/0", png(64, 64), headers)
    assert begun.wait(30)
    caller.close()
    stop = threading.Thread(target=server.stop)
    stop.start()
    stop.join(0.5)
    assert stop.is_alive()
    go.set()
    stop.join(10)
    assert len(files(server)) == 1
