from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fakes import DrawingWorker, until
from tests.kernel_ext.conftest import Shell

from gpugen.recipes import read_recipe
from gpugen_protocol.worker import Failure


def test_the_image_is_saved_and_its_path_is_all_that_stdout_says(gpugen_drawing: Shell) -> None:
    done = gpugen_drawing("generate", "a slice of pizza", "--seed", "7", "--size", "64x32", "--steps", "3")
    assert (done.returncode, done.stdout) == (0, "a-slice-of-pizza-7.png\n"), done.stderr
    path = gpugen_drawing.folder / "a-slice-of-pizza-7.png"
    assert pixels(path)[0] == (64, 32)
    recipe = read_recipe(path.read_bytes())
    assert recipe is not None
    assert (recipe.prompt, recipe.seed, recipe.steps) == ("a slice of pizza", 7, 3)


def pixels(path: Path) -> tuple[tuple[int, int], bytes]:
    with Image.open(path) as image:
        return image.size, image.tobytes()


def test_every_option_reaches_the_request(gpugen_drawing: Shell) -> None:
    options = ["-m", "emoji", "-n", "2", "-s", "7", "--steps", "3", "--guidance", "2.5", "--size", "32x64"]
    options += ["--negative", "blur", "--scheduler", "ddim"]
    task = json.loads(gpugen_drawing("generate", "a cat", *options, "--json").stdout)
    assert task["request"] == {
        "prompt": "a cat",
        "negative_prompt": "blur",
        "model": "emoji",
        "width": 32,
        "height": 64,
        "steps": 3,
        "guidance": 2.5,
        "seed": 7,
        "n": 2,
        "scheduler": "ddim",
        "init_image": None,
        "mask_image": None,
        "strength": None,
    }


def test_json_is_the_finished_task_with_the_files_and_nothing_else(gpugen_drawing: Shell) -> None:
    done = gpugen_drawing("generate", "a cat", "-n", "2", "--json", "-o", "out")
    task = json.loads(done.stdout)
    assert task["state"] == "succeeded"
    assert sorted(task["files"]) == gpugen_drawing.files()
    assert len(task["files"]) == 2


def test_the_same_command_twice_overwrites_a_named_file_with_the_same_image(gpugen_drawing: Shell) -> None:
    command = ("generate", "a slice of pizza", "--seed", "7", "-o", "pizza.png")
    path = gpugen_drawing.folder / "pizza.png"
    assert gpugen_drawing(*command).stdout == "pizza.png\n"
    first = pixels(path)
    gpugen_drawing(*command)
    assert pixels(path) == first
    assert gpugen_drawing.files() == ["pizza.png"]


def test_the_same_command_twice_keeps_both_where_no_file_was_named(gpugen_drawing: Shell) -> None:
    for _ in range(2):
        gpugen_drawing("generate", "a cat", "--seed", "7", "-o", "out")
    assert gpugen_drawing.files() == ["out/a-cat-7-2.png", "out/a-cat-7.png"]


def test_progress_goes_to_stderr_as_a_few_plain_lines(gpugen_drawing: Shell) -> None:
    lines = gpugen_drawing("generate", "a cat", "--steps", "50").stderr.splitlines()
    assert 1 <= len(lines) <= 8
    assert len(lines) == len(set(lines))
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_no_wait_prints_the_id_and_leaves(gpugen: Shell, server: Any) -> None:
    done = gpugen("generate", "a cat", "--no-wait")
    assert done.returncode == 0
    assert server.tasks().get(done.stdout.strip()).state == "queued"
    assert json.loads(gpugen("generate", "a dog", "--no-wait", "--json").stdout)["files"] == []


def test_on_a_terminal_there_is_a_bar_with_the_steps(
    gpugen_drawing: Shell, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.hold(before_step=6)
    ours, theirs = pty.openpty()
    process = gpugen_drawing.start(
        *("generate", "a cat", "--steps", "8", "-o", "cat.png"),
        stderr=theirs,
        **{"TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"},
    )
    os.close(theirs)
    seen = _read_terminal(ours, until="Step 5 of 8")
    drawing_worker.go_on()
    _read_terminal(ours)
    os.close(ours)
    assert process.communicate(timeout=20)[0] == "cat.png\n"
    assert "━" in seen
    assert " left" in seen


def _read_terminal(end: int, until: str = "nothing stops it") -> str:
    """What a program wrote, up to `until` or to its end."""
    seen, deadline = b"", time.monotonic() + 60
    while until.encode() not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([end], [], [], 0.2)[0]:
            try:
                chunk = os.read(end, 4096)
            except OSError:  # what a closed terminal answers on Linux
                break
            if not chunk:
                break
            seen += chunk
    return seen.decode(errors="replace")


def test_ctrl_c_cancels_the_task_on_the_server(
    gpugen_drawing: Shell, drawing_worker: DrawingWorker, server: Any
) -> None:
    drawing_worker.hold()
    process = gpugen_drawing.start("generate", "a cat")
    until(lambda: drawing_worker.claimed, 20)
    until(lambda: server.server.watchers, 20)  # it waits now
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert err.rstrip().endswith("\nCanceled.")
    assert "Traceback" not in err
    assert server.tasks().get(drawing_worker.claimed[0]).state == "canceled"
    assert gpugen_drawing.files() == []


def test_a_second_ctrl_c_leaves_at_once(gpugen: Shell, server: Any, worker_api: Any) -> None:
    from gpugen_protocol.worker import ClaimRequest

    process = gpugen.start("generate", "a cat")
    assert worker_api.claim(ClaimRequest(wait_seconds=20))  # and never does anything
    until(lambda: server.server.watchers, 20)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Canceling" not in process.stderr.readline():
        pass
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["  "], "must not be empty"),
        (["a cat", "--size", "100"], "WIDTHxHEIGHT"),
        (["a cat", "--size", "100x64"], "The nearest are 96 and 104."),
        (["a cat", "--size", "40x40"], "Try 32 or 48."),  # the model's multiple, said by the server
        (["a cat", "--steps", "0"], "steps: must be >= 1"),
        (["a cat", "-n", "17"], "n: must be <= 16"),
        (["a cat", "-m", "emojy"], "Did you mean emoji"),
        (["a cat", "-m", "../etc"], "model"),
        (["a cat", "--scheduler", "magic"], "dpm++"),
        (["a cat", "-n", "16", "--size", "2048x2048", "--steps", "150"], "fewer images"),
        (["a cat", "-n", "2", "-o", "cat.png"], "-o names a folder"),
        (["a cat", "-o", "cat.jpg"], "cat.png"),
        (["a cat", "-o", "/proc/cat.png"], "cannot be saved"),
    ],
)
def test_a_refused_request_is_exit_code_2_and_leaves_nothing(
    gpugen: Shell, server: Any, arguments: list[str], words: str
) -> None:
    done = gpugen("generate", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert server.tasks().list().tasks == ()
    assert gpugen.files() == []


def test_a_failed_task_is_exit_code_1(gpugen_drawing: Shell, drawing_worker: DrawingWorker) -> None:
    drawing_worker.failure = Failure(code="out_of_memory", message="The GPU is full.", hint="Ask for less.")
    done = gpugen_drawing("generate", "a cat", "--json")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == ["gpugen: The GPU is full.", "        Ask for less."]
    task = json.loads(done.stdout)
    assert (task["state"], task["files"]) == ("failed", [])


def test_a_server_that_is_not_there_is_exit_code_3(gpugen: Shell) -> None:
    done = gpugen("generate", "a cat", GPUGEN_URL="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (3, "")
    assert "http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_token_is_exit_code_3(gpugen: Shell) -> None:
    done = gpugen("generate", "a cat", GPUGEN_TOKEN="wrong")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr


def test_a_proxy_in_the_environment_is_not_asked_for_this_machine(gpugen_drawing: Shell) -> None:
    proxy = "http://127.0.0.1:9"
    done = gpugen_drawing("generate", "a cat", HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_is_one_sentence_with_how_to_get_the_image_all_the_same(
    gpugen_drawing: Shell, small_disk: Path
) -> None:
    (small_disk / "ballast").write_bytes(bytes(64_000))
    done = gpugen_drawing("generate", "a cat", "--size", "512x512", "-o", str(small_disk / "cat.png"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "No space left" in done.stderr
    assert "gpugen images" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_reader_that_goes_away_is_no_traceback(gpugen: Shell) -> None:
    command = f"{sys.executable} -m gpugen models | head -1"
    done = subprocess.run(
        ["bash", "-c", command], env=gpugen.environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.startswith("NAME")
    assert done.stderr == ""


def test_a_prompt_without_quotes_is_answered_with_quotes(gpugen: Shell) -> None:
    done = gpugen("generate", "a", "red", "car", "--seed", "7")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'gpugen generate "a red car"' in done.stderr
