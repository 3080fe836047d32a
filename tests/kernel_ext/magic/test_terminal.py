"""gpugen in IPython without a notebook."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
from IPython.core.error import UsageError
from tests.fakes import DrawingWorker
from tests.kernel_ext.test_status import phase, step, task

from gpugen import inline
from gpugen.status import Status
from gpugen.terminal import bar_line


def ipython(env: dict[str, str], folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", code],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_images_are_saved_and_their_paths_printed(
    kernel_env: dict[str, str], drawing_worker: DrawingWorker, tmp_path: Path
) -> None:
    code = "%load_ext gpugen\n%gpugen -n 2 --seed 7 --steps 2 --size 64x64 a red cat"
    done = ipython(kernel_env, tmp_path, code)

    assert done.returncode == 0, done.stderr
    paths = [Path(line) for line in done.stdout.splitlines() if line.endswith(".png")]
    assert paths == [Path("gpugen-images/a-red-cat-7.png"), Path("gpugen-images/a-red-cat-8.png")]
    assert all((tmp_path / path).read_bytes().startswith(b"\x89PNG") for path in paths)
    assert "a red cat" in done.stdout
    assert "\r" not in done.stdout, "a bar is for a terminal only"


def test_a_failure_is_one_line(kernel_env: dict[str, str], tmp_path: Path, free_port: int) -> None:
    env = {**kernel_env, "GPUGEN_URL": f"http://127.0.0.1:{free_port}"}
    done = ipython(env, tmp_path, "%load_ext gpugen\n%gpugen a cat")

    said = (done.stdout + done.stderr).strip()
    assert said.startswith("ServerUnreachable: The gpugen server at")
    assert "Traceback" not in said
    assert not (tmp_path / "gpugen-images").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a pseudo-terminal")
def test_on_a_terminal_a_bar_moves_and_control_c_cancels(
    kernel_env: dict[str, str], server: Any, drawing_worker: DrawingWorker, tmp_path: Path, wait_until: Any
) -> None:
    drawing_worker.seconds_per_step = 0.2
    env = {**os.environ, **kernel_env, "TERM": "xterm", "COLUMNS": "120"}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"],
        cwd=str(tmp_path),
        env=env,  # type: ignore[arg-type]
        encoding="utf-8",
        dimensions=(40, 120),
        timeout=30,
    )
    try:
        child.expect("In ")
        child.sendline("%load_ext gpugen")
        child.expect("In ")
        child.sendline("%gpugen --steps 60 --size 64x64 a cat")
        child.expect(re.escape("a cat [#"))
        child.sendintr()
        child.expect("Cancelled: Task .* was canceled")
        child.expect("In ")
        child.sendline("exit()")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert [task.state for task in server.tasks().list().tasks] == ["canceled"]


def test_the_bar_fits_the_line() -> None:
    status = Status(task())
    status.apply(phase("drawing"))
    status.apply(step(10, pace=1.0))
    line = bar_line(status, 120)
    assert line == "a cat [############............] Step 10 of 20 · 1 s a step 0:10 left"
    assert len(bar_line(status, 20)) == 20


def test_a_widget_cannot_be_had_and_that_is_said(gpugen_shell: Any) -> None:
    with pytest.raises(UsageError, match="--progress widget needs a notebook"):
        gpugen_shell.run_line_magic("gpugen", "--progress widget a cat")


class Screen(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_that_can_shows_the_image(
    monkeypatch: pytest.MonkeyPatch, png: Callable[..., bytes]
) -> None:
    from textual_image import renderable
    from textual_image._terminal import CellSize, get_cell_size

    screen = Screen()
    monkeypatch.setattr(renderable, "Image", renderable.TGPImage)
    monkeypatch.setattr(get_cell_size, "_result", CellSize(10, 20), raising=False)
    for name in ("stdout", "__stdout__"):
        monkeypatch.setattr(sys, name, screen)
    monkeypatch.setenv("TERM", "xterm-kitty")
    inline._renderable.cache_clear()
    assert inline.show(png(64, 64))
    assert "\x1b_G" in screen.getvalue(), "kitty's protocol"
    inline._renderable.cache_clear()


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("term", "answers", "sequence"),
    [
        ("xterm-kitty", {"\x1b[c": "\x1b[?62c", "\x1b_Gi=": "\x1b_Gi=4294967295;OK\x1b\\"}, "\x1b_Gi="),
        ("foot", {"\x1b[c": "\x1b[?62;4c"}, "\x1bP"),
    ],
    ids=["kitty's protocol", "Sixel"],
)
def test_a_terminal_that_answers_gets_the_image_in_its_own_words(
    term: str, answers: dict[str, str], sequence: str, png: Callable[..., bytes], tmp_path: Path
) -> None:
    """The test is the terminal. It answers beforehand, for it is given only a tenth of a second."""
    (tmp_path / "picture.png").write_bytes(png(64, 64))
    code = "from gpugen import inline; print('shown', inline.show(open('picture.png', 'rb').read()))"
    env = {**os.environ, "TERM": term, "TERM_PROGRAM": ""}
    child = pexpect.spawn(
        sys.executable,
        ["-c", code],
        cwd=str(tmp_path),
        env=env,  # type: ignore[arg-type]
        encoding="utf-8",
        timeout=30,
        echo=False,
    )
    try:
        child.send("".join(answers.values()))
        for question in answers:
            child.expect_exact(question)
        child.expect_exact(sequence)
        child.expect_exact("shown True")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


def test_a_terminal_that_cannot_is_not_even_asked(
    monkeypatch: pytest.MonkeyPatch, png: Callable[..., bytes]
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("TERM_PROGRAM", "vscode")
    inline._renderable.cache_clear()
    assert not inline.show(png(64, 64))
    assert screen.getvalue() == ""
