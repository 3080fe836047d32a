"""`%gpugen wait|show|status|cancel [ID]`: what can be done with tasks from a cell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from IPython.core.error import UsageError

from gpugen.background import Background
from gpugen.client import Client, Task
from gpugen.status import Status
from gpugen.submission import Submission
from gpugen.words import headline, outcome, settings
from gpugen_protocol.errors import GpugenError

_FORM = re.compile(r"(wait|show|status|cancel)(?:\s+([0-9a-hjkmnp-tv-z]{26}))?", re.IGNORECASE)
_MAX_KEPT = 20  # tasks sent off that nobody has waited for yet


def match(line: str) -> tuple[str, str | None] | None:
    """The sub-command `line` is and the id it names; None if it is a prompt, as `show me a castle` is."""
    found = _FORM.fullmatch(line.strip())
    return (found[1].lower(), found[2] and found[2].lower()) if found else None


class Subcommands:
    """The sub-commands, and this notebook's tasks that they are about.

    Args:
        client: gives the client of the server.
        attach: makes a submission of a task, with a new view.
    """

    def __init__(self, client: Callable[[], Client], attach: Callable[[Task, bool], Submission]) -> None:
        self._client = client
        self._attach = attach
        self._sent_off: dict[str, Background] = {}
        self._latest: str | None = None

    def run(self, name: str, task: str | None) -> None:
        """Do `name` with the task `task`, by default this notebook's latest.

        Raises:
            UsageError: no task is named and there is none yet.
            GpugenError: the server says no; `wait`: the task did not succeed.
        """
        {"wait": self._wait, "show": self._show, "status": self._status, "cancel": self._cancel}[name](task)

    def note(self, task: str) -> None:
        """`task` is this notebook's latest now."""
        self._latest = task

    def send_off(self, submission: Submission) -> None:
        """Show `submission` without waiting for it."""
        self._sent_off[submission.task.id] = Background(submission)
        for old in [key for key, kept in self._sent_off.items() if not kept.running][:-_MAX_KEPT]:
            del self._sent_off[old]

    def close(self) -> None:
        """Stop all threads; the tasks go on."""
        for background in self._sent_off.values():
            background.stop()
        self._sent_off.clear()

    def _wait(self, task: str | None) -> None:
        if task is None and not self._sent_off:
            return _say("There is nothing to wait for.")
        for key in [task] if task else list(self._sent_off):
            background = self._sent_off.pop(key, None)
            if background is not None:
                background.wait()
            else:
                self._follow(key)

    def _follow(self, task: str) -> None:
        submission = self._attach(self._client().task(task), False)
        submission.open(waits=True)
        submission.follow()

    def _show(self, task: str | None) -> None:
        handle = self._task(task)
        if not handle.record.finished:
            return _say(f"{_standing(handle)}\n%gpugen wait {handle.id} follows it.")
        with contextlib.suppress(GpugenError):  # a failed task's card is what was asked for
            self._attach(handle, True).conclude()

    def _status(self, task: str | None) -> None:
        _say(_standing(self._task(task)))

    def _cancel(self, task: str | None) -> None:
        handle = self._task(task)
        if handle.record.finished:
            return _say(f"Task {handle.id} is over already: it {handle.record.state}.")
        record = handle.cancel()
        _say(f"Task {record.id} {'is canceled' if record.finished else 'stops after the present step'}.")

    def _task(self, task: str | None) -> Task:
        wanted = task or self._latest
        if wanted is None:
            raise UsageError("This notebook has no task yet. Name one: %gpugen show ID")
        return self._client().task(wanted)


def _standing(task: Task) -> str:
    record = task.record
    now = outcome(record) if record.finished else f"{record.state}: {Status(record).sentence}"
    return f"{headline(record.request.prompt)}\n{settings(record.request)}\n{now} · task {record.id}"


def _say(text: str) -> None:
    print(text)  # noqa: T201 - in a notebook this is the cell's output
