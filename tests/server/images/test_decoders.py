"""Bad images against the real helper processes: each is refused, and the next good one is taken."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest
from tests.server.images.test_codec import recipe

from gpugen_protocol.errors import InvalidImage
from gpugen_server.images import codec
from gpugen_server.images.decoders import Decoders


@pytest.fixture
def decoders():
    made = Decoders()
    yield made
    made.close()


def children():
    return [
        child for child in psutil.Process().children() if "gpugen_server.images.decoder" in child.cmdline()
    ]


def test_a_decoder_gives_what_the_codec_gives(decoders, png):
    assert decoders.encode(png(64, 64), recipe()) == codec.encode(png(64, 64), recipe())
    assert decoders.clean(png(64, 32), 64) == codec.clean(png(64, 32), 64)
    assert decoders.thumbnail(png(256, 128), 64) == codec.thumbnail(png(256, 128), 64)


def test_a_refusal_says_why_and_keeps_the_process(decoders, png):
    decoders.clean(png(64, 64), 64)
    (child,) = children()
    with pytest.raises(InvalidImage, match="32 x 32 pixels, 64 x 64 were asked for"):
        decoders.encode(png(32, 32), recipe())
    assert children() == [child]


def test_no_process_runs_before_the_first_image_and_one_serves_many(decoders, png):
    assert children() == []
    for _ in range(3):
        decoders.clean(png(64, 64), 64)
    assert len(children()) == 1


def test_a_process_that_takes_too_long_is_killed_and_replaced(png):
    decoders = Decoders()
    decoders.clean(png(64, 64), 64)
    (child,) = children()
    child.suspend()
    decoders._seconds = 0.5  # only now: a process that has yet to start may take longer
    with pytest.raises(InvalidImage, match="memory or time"):
        decoders.clean(png(64, 64), 64)
    assert not child.is_running()
    patient = Decoders()
    assert patient.clean(png(64, 64), 64).width == 64
    for made in (decoders, patient):
        made.close()
    assert children() == []


def test_a_process_that_was_killed_meanwhile_is_replaced_before_anybody_notices(decoders, png):
    decoders.clean(png(64, 64), 64)
    (child,) = children()
    child.kill()
    psutil.wait_procs([child], 10)
    assert decoders.clean(png(64, 64), 64).width == 64


def test_the_processes_have_little_memory_write_no_files_and_know_no_secrets(decoders, png, monkeypatch):
    monkeypatch.setenv("GPUGEN_TOKEN", "gpg_u_secret")
    decoders.clean(png(64, 64), 64)
    (child,) = children()
    limits = {name: child.rlimit(getattr(psutil, name))[1] for name in ("RLIMIT_AS", "RLIMIT_FSIZE")}
    assert limits == {"RLIMIT_AS": 768 * 2**20, "RLIMIT_FSIZE": 0}
    assert child.rlimit(psutil.RLIMIT_CPU)[1] <= 3600
    assert "GPUGEN_TOKEN" not in child.environ()


def test_the_largest_image_fits_into_the_limits(decoders):
    from PIL import Image

    noise = Image.effect_noise((2048, 2048), 90)
    wide = Image.merge("RGBA", (noise, noise.rotate(90), noise.rotate(180), noise))
    data = codec._png(wide, None)
    assert decoders.clean(data, 2048).width == 2048


def test_two_threads_decode_at_the_same_time(decoders, png):
    begun = threading.Barrier(2)

    def work():
        begun.wait(10)
        done.append(decoders.encode(png(512, 512), recipe(512, 512)).sha256)

    done = []
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(done) == 2


def test_a_decoder_ends_with_its_server_however_that_ends(png, tmp_path, wait_until):
    script = (
        "import sys, time; from gpugen_server.images.decoders import Decoders; d = Decoders();"
        "d.clean(open(sys.argv[1], 'rb').read(), 64);"
        "print(d._free.get()._process.pid, flush=True); time.sleep(60)"
    )
    path = tmp_path / "a.png"
    path.write_bytes(png(64, 64))
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as server:
        child = int(server.stdout.readline())
        assert psutil.pid_exists(child)
        os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")
