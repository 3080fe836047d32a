"""Images that go through a bucket: from the worker's address to the reader's, and through an outage."""

import io
import threading

import pytest
import requests
from PIL import Image
from tests.gcs import FakeCloud

from gpugen_client import bucket as uploads
from gpugen_client.tasks import Tasks
from gpugen_protocol import paths
from gpugen_protocol.errors import InvalidImage, LeaseLost, NotFound, Unavailable
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, Failure, Upload, UploadRequest
from gpugen_server.queue import trash
from gpugen_worker.fake import FakeGenerator


@pytest.fixture
def cloud(tmp_path):
    made = FakeCloud(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def server(make_server, cloud):
    """A server whose images are in a bucket."""
    return make_server(storage=cloud.bucket())


def sent(api, lease, index, data):
    """`data` put where the server says, and nothing told."""
    asked = UploadRequest(index=index)
    upload = api._connection.call("POST", paths.LEASE_UPLOADS(lease=lease.id), Upload, body=asked)
    uploads.put(upload, data)


def told(api, lease, index):
    return api._connection.send("POST", paths.LEASE_UPLOADED(lease=lease.id, index=index))


def test_an_image_goes_from_the_worker_through_the_bucket_to_the_reader(
    server, cloud, tasks, worker_api, lease, png
):
    assert lease.uploads == "bucket"
    for index in range(2):
        worker_api.upload_to_bucket(lease.id, index, png(64, 64), "abc")
    worker_api.complete(lease.id, Completion())
    assert tasks.get(lease.task.id).state == "succeeded"
    assert all("/images/" in key for key in cloud.objects()), "the quarantine is empty again"
    with Image.open(io.BytesIO(tasks.image(lease.task.id, 1))) as image:
        assert '"seed":8' in image.text["gpugen"]


def test_readers_are_sent_to_the_bucket_or_get_the_bytes_from_the_server(ask, cloud, worker_api, lease, png):
    worker_api.upload_to_bucket(lease.id, 0, png(64, 64))
    path = f"/api/v1/tasks/{lease.task.id}/images/0"
    there = ask("GET", path, allow_redirects=False)
    assert (there.status_code, there.headers["Cache-Control"]) == (302, "no-store")
    link = there.headers["Location"]
    assert link.startswith(cloud.gate.url)
    assert "gpg_" not in link
    here = ask("GET", path, headers={"Gpugen-Via": "server"}, allow_redirects=False)
    assert here.content == requests.get(link, timeout=10).content
    assert ask("GET", path + "?thumbnail=64", allow_redirects=False).headers["Content-Type"] == "image/png"


def test_a_reader_who_cannot_reach_the_bucket_gets_the_image_all_the_same(
    server, cloud, tasks, worker_api, lease, png
):
    worker_api.upload_to_bucket(lease.id, 0, png(64, 64))
    cloud.gate.stop()
    assert Tasks(server.connection()).image(lease.task.id, 0)[:4] == b"\x89PNG"


def test_a_worker_that_cannot_reach_the_bucket_sends_its_images_to_the_server(
    cloud, tasks, worker_api, lease, png
):
    cloud.gate.stop()
    with pytest.raises(Unavailable, match="from here"):
        worker_api.upload_to_bucket(lease.id, 0, png(64, 64))
    for index in range(2):
        worker_api.upload_to_bucket(lease.id, index, png(64, 64))
    worker_api.complete(lease.id, Completion())
    assert tasks.get(lease.task.id).state == "succeeded"


def test_what_is_no_image_is_refused_and_may_be_sent_anew(server, cloud, worker_api, lease, png):
    for bad in (b"nonsense", png(32, 32)):
        sent(worker_api, lease, 0, bad)
        with pytest.raises(InvalidImage):
            told(worker_api, lease, 0)
        assert cloud.objects() == []
    worker_api.upload_to_bucket(lease.id, 0, png(64, 64))
    assert len(cloud.objects()) == 1


def test_telling_twice_counts_once_and_telling_of_nothing_is_not_found(server, tasks, worker_api, lease, png):
    with pytest.raises(NotFound):
        told(worker_api, lease, 0)
    sent(worker_api, lease, 0, png(64, 64))
    for _ in range(2):
        assert told(worker_api, lease, 0).status_code == 200
    assert len([event for event in tasks.events(lease.task.id).events if hasattr(event, "sha256")]) == 1


def test_nobody_gets_an_address_for_a_lease_that_is_not_theirs(server, worker_api, lease):
    other = server.worker()
    with pytest.raises(LeaseLost):
        sent(other, lease, 0, b"x")
    with pytest.raises(NotFound):
        sent(worker_api, lease, 2, b"x")


def test_a_server_with_a_folder_gives_no_addresses(make_server):
    server = make_server()
    api = server.worker()
    server.tasks().submit(TaskRequest(prompt="a", width=64, height=64))
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    assert lease.uploads == "server"
    with pytest.raises(NotFound, match="itself"):
        sent(api, lease, 0, b"x")


def test_an_outage_delays_an_image_and_loses_none(server, cloud, tasks, worker_api, lease, png):
    cloud.go_away()
    with pytest.raises(Unavailable):
        worker_api.upload_to_bucket(lease.id, 0, png(64, 64))
    cloud.come_back()
    sent(worker_api, lease, 0, png(64, 64))
    cloud.go_away()  # what was sent is not lost either
    with pytest.raises(Unavailable):
        told(worker_api, lease, 0)
    assert worker_api.report(lease.id).cancel is False
    cloud.come_back()
    assert told(worker_api, lease, 0).status_code == 200
    assert [image.index for image in tasks.get(lease.task.id).images] == [0]


def test_what_the_bucket_could_not_drop_goes_once_it_is_back(
    server, cloud, worker_api, lease, png, monkeypatch
):
    monkeypatch.setattr(trash, "_REST", -1.0)
    worker_api.upload_to_bucket(lease.id, 0, png(64, 64))
    worker_api.fail(lease.id, Failure(code="error", message="No."))
    cloud.go_away()
    server.tasks().delete(lease.task.id)
    cloud.come_back()
    assert len(cloud.objects()) == 1
    server.run(server.server._housekeeping._prune())
    assert cloud.objects() == []
    assert server.query(trash.left) == []


def test_a_real_worker_keeps_its_images_through_an_outage(server, cloud, tasks, wait_until):
    from gpugen_client.claims import WorkerApi
    from gpugen_protocol.worker import SessionRequest
    from gpugen_worker.loop import Loop
    from gpugen_worker.session import ServerSession
    from gpugen_worker.stop import Stop

    cloud.go_away()
    task = tasks.submit(TaskRequest(prompt="a cat", width=64, height=64, n=2, steps=2))
    introduction = SessionRequest(name="w", models=("emoji",), version="0.1.0")
    session = ServerSession(WorkerApi(server.url, server.worker_token), introduction)
    loop = Loop(session, FakeGenerator(("emoji",)), Stop(1.0), idle_exit=None, once=True)
    working = threading.Thread(target=loop.run)
    working.start()
    wait_until(lambda: tasks.get(task.id).phase == "uploading", 20)
    cloud.come_back()
    working.join(30)
    done = tasks.get(task.id)
    assert (done.state, done.attempt, len(done.images)) == ("succeeded", 1, 2)
