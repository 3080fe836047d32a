"""Workers that lie, and users who reach for what is not theirs, while an honest worker serves somebody else.

Every test ends with the same question: did the other user's tasks go on undisturbed?
"""

import io
import socket
import struct
import threading
import zlib

import pytest
import requests
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gpugen_client.claims import WorkerApi
from gpugen_protocol.errors import Conflict, LeaseLost
from gpugen_protocol.events import LogReport, PhaseReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, Failure, SessionRequest
from gpugen_worker.fake import FakeGenerator
from gpugen_worker.loop import Loop
from gpugen_worker.session import ServerSession
from gpugen_worker.stop import Stop

SIDE = 512
ANSI = "\x1b[2J\x1b]0;title\x07\x9bred\u202e\x00end"


@pytest.fixture
def mallory(server):
    """A worker with a lease on a task that asks for four images."""
    api = WorkerApi(server.url, server.worker_token)
    api.open_session(SessionRequest(name=ANSI, version="0.1.0", device=ANSI, libraries={"torch": ANSI}))
    server.tasks().submit(TaskRequest(prompt="a cat", width=SIDE, height=SIDE, n=4))
    (api.lease,) = api.claim(ClaimRequest(wait_seconds=0))
    return api


@pytest.fixture(autouse=True)
def honest(server, mallory):
    """Another user and an honest worker, busy all the while; at the end their tasks must have gone well."""
    theirs = server.tasks(server.make_token("user", "ann"))

    def begin(**asked):
        task = theirs.submit(TaskRequest(prompt="a dog", width=64, height=64, **asked))
        introduction = SessionRequest(name="honest", models=("emoji",), version="0.1.0")
        session = ServerSession(WorkerApi(server.url, server.worker_token), introduction)
        loop = Loop(session, FakeGenerator(("emoji",), 0.02), Stop(5.0), once=True)
        working = threading.Thread(target=loop.run)
        working.start()
        return task, working

    def check(task, working):
        working.join(90)
        done = theirs.get(task.id)
        assert (done.state, done.attempt, len(done.images)) == ("succeeded", 1, done.request.n)

    meanwhile = begin(n=4, steps=10)
    yield
    check(*meanwhile)
    check(*begin(steps=1))


def send(server, api, data, index=0, lease=None, **headers):
    """The answer to an upload as no client of ours would send it."""
    return requests.put(
        f"{server.url}/api/v1/worker/leases/{lease or api.lease.id}/images/{index}",
        data=data,
        headers={"Authorization": f"Bearer {api._connection.token}", **headers},
        timeout=60,
    )


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width, height, rows):
    """A small file that says it is `width` x `height`, with `rows` rows of nothing in it."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(13_001)) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def saved(image, format="PNG", **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def text_bomb():
    packed = b"Comment\0\0" + zlib.compress(bytes(64 * 2**20), 9)
    whole = saved(Image.new("RGB", (SIDE, SIDE)))
    return whole[:33] + chunk(b"zTXt", packed) + whole[33:]


def animation(format):
    frames = [Image.new("RGB", (SIDE, SIDE), color) for color in ("red", "blue")]
    return saved(frames[0], format, save_all=True, append_images=frames[1:])


def lies():
    right = Image.effect_noise((SIDE, SIDE), 90).convert("RGB")
    yield "nothing", b""
    yield "no image", b"x" * 1000
    yield "a page", b"<html><script>alert(1)</script></html>"
    yield "a drawing that can run", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    yield "a bomb", bomb(13_000, 13_000, 13_000)
    yield "a bomb in the largest size there is", bomb(2**31 - 1, 2**31 - 1, 10)
    yield "a bomb that says it is small", bomb(SIDE, SIDE - 1, 13_000)
    yield "a bomb of text", text_bomb()
    yield "half an image", saved(right)[:-5000]
    yield "a film", animation("PNG")
    yield "another film", animation("WEBP")
    yield "too wide", saved(Image.new("RGB", (SIDE * 2, SIDE)))
    yield "upright", saved(Image.new("RGB", (SIDE, SIDE * 2)))
    for format in ("GIF", "BMP", "TIFF", "PPM", "ICO"):
        yield format, saved(right.convert("P") if format == "GIF" else right, format)


def test_no_lie_about_an_image_is_believed(server, mallory, png):
    for name, data in lies():
        answer = send(server, mallory, data)
        assert answer.status_code in (413, 422), name
        assert answer.headers["Content-Type"] == "application/problem+json", name
    assert server.tasks().get(mallory.lease.task.id).images == ()
    assert send(server, mallory, png(SIDE, SIDE)).status_code == 200  # the truth is still welcome


def test_nothing_that_hides_in_an_image_reaches_a_user(server, mallory):
    payload = b"<script>alert(1)</script>%PDF-1.4"
    info = PngInfo()
    info.add_text("parameters", payload.decode())
    whole = saved(Image.new("RGB", (SIDE, SIDE)), pnginfo=info, icc_profile=payload) + payload
    assert send(server, mallory, whole).status_code == 200
    stored = server.tasks().image(mallory.lease.task.id, 0)
    assert b"script" not in stored
    assert b"PDF" not in stored
    image = Image.open(io.BytesIO(stored))
    assert "icc_profile" not in image.info
    assert image.text["parameters"].startswith("a cat\n")


def test_a_hundred_megabytes_are_not_read(server, mallory):
    path = f"/api/v1/worker/leases/{mallory.lease.id}/images/0"
    host, port = server.url.removeprefix("http://").split(":")
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mallory._connection.token}\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(f"{head}Content-Length: 104857600\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
    with pytest.raises(requests.RequestException):
        send(server, mallory, (bytes(2**20) for _ in range(100))).raise_for_status()


def test_a_lease_is_good_for_its_own_worker_and_task_until_it_ends(server, mallory, png):
    other = server.worker()
    for lease in (mallory.lease.id, mallory.lease.id[:-1] + "0", "x", "%00", "..%2f..%2fx"):
        assert send(server, other, png(SIDE, SIDE), lease=lease).status_code in (404, 409)
    for act in (
        lambda: other.report(mallory.lease.id),
        lambda: other.complete(mallory.lease.id, Completion()),
        lambda: other.fail(mallory.lease.id, Failure(code="error", message="No.")),
        lambda: other.release(mallory.lease.id, ""),
    ):
        with pytest.raises(LeaseLost):
            act()
    assert server.tasks().get(mallory.lease.task.id).state == "running"


def test_what_was_said_once_cannot_be_unsaid(server, mallory, png):
    with pytest.raises(Conflict):
        mallory.complete(mallory.lease.id, Completion())  # without the images
    for index in range(4):
        assert send(server, mallory, png(SIDE, SIDE), index).status_code == 200
    assert send(server, mallory, png(SIDE, SIDE, "blue")).status_code == 409
    mallory.complete(mallory.lease.id, Completion())
    assert send(server, mallory, png(SIDE, SIDE, "blue")).status_code == 409
    with pytest.raises(LeaseLost):
        mallory.fail(mallory.lease.id, Failure(code="error", message="No."))
    with pytest.raises(LeaseLost):
        mallory.report(mallory.lease.id)
    assert server.tasks().get(mallory.lease.task.id).state == "succeeded"


def test_no_name_leads_out_of_the_folder_of_images(server, mallory, png):
    outside = set(server.settings.data.parent.rglob("*")) - set(server.settings.images.rglob("*"))
    for index in ("..%2f..%2fx", "0%2f..%2f1", "%2e%2e", "0.png", "-1", "٣"):
        assert send(server, mallory, png(SIDE, SIDE), index).status_code == 404
    assert send(server, mallory, png(SIDE, SIDE), **{"Gpugen-Revision": "../../x"}).status_code == 200
    left = set(server.settings.data.parent.rglob("*")) - set(server.settings.images.rglob("*"))
    assert {path for path in left - outside if ".db" not in path.name} == set()


def test_no_control_character_of_a_worker_reaches_a_terminal(server, mallory):
    mallory.report(
        mallory.lease.id,
        (LogReport(level="error", message=ANSI), PhaseReport(phase="drawing", text=ANSI)),
    )
    mallory.fail(mallory.lease.id, Failure(code="error", message=ANSI, hint=ANSI))
    task = server.tasks().get(mallory.lease.task.id)
    events = server.tasks().connection.send("GET", f"/api/v1/tasks/{task.id}/events").json()
    shown = [task.error.message, task.error.hint, task.phase_text]
    shown += [event[key] for event in events["events"] for key in ("message", "text") if key in event]
    shown += [text for one in server.tasks().workers().workers for text in (one.name, one.device)]
    assert sum("redend" in text for text in shown) >= 7
    assert not [text for text in shown if any(char in text for char in "\x00\x07\x1b\x9b\u202e")]
