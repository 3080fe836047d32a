"""Lines of the worker's log in the task they belong to."""

from __future__ import annotations

import logging

import pytest

from gpugen_worker.log import log
from gpugen_worker.task_log import told


def test_what_is_logged_while_a_task_is_drawn_becomes_its_lines() -> None:
    lines: list[tuple[str, str]] = []
    with told(lambda level, message: lines.append((level, message))):
        log.warning("%s Trying again.", "The server is away.")
        logging.getLogger("diffusers.schedulers").error("odd betas")
    log.warning("of the next task")
    assert lines == [("info", "The server is away. Trying again."), ("debug", "odd betas")]


def test_a_line_that_cannot_be_told_breaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(level: str, message: str) -> None:
        raise RuntimeError("no")

    with told(refuse):
        log.warning("hello")
    assert "RuntimeError: no" in capsys.readouterr().err
