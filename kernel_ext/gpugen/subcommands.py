"""What `%gpugen wait|attach|show|status|cancel|retry|logs|replay ...` do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from IPython.core.error import UsageError

from gpugen import listings, replay
from gpugen.background import Background
from gpugen.client import Client, Task
from gpugen.commands import Command, is_group, is_id
from gpugen.followed import Followed
from gpugen.result import Result
from gpugen.sending import Sending
from gpugen.status import Status
from gpugen.words import headline, outcome, settings
from gpugen_protocol.errors import GpugenError

_MAX_KEPT = 20  # tasks sent off that nobody has waited for yet


class Subcommands:
    """The sub-commands, and this notebook's tasks that they are about.

    Args:
        client: gives the client of the server.
        attach: makes a submission of a task, with a new view, or a silent one.
        reopen: makes a sweep of a grid's group, the same way.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        attach: Callable[[Task, bool], Followed],
        reopen: Callable[[str, bool], Followed],
    ) -> None:
        self._client = client
        self._reopen = reopen
        self._attach_to = attach
        self._sent_off: dict[str, Background] = {}
        self._latest: str | None = None
        self._sending = Sending()

    def run(self, command: Command, sending: Sending) -> None:
        """Do `command`, by default with this kernel's latest task; what it waits for is held by `sending`.

        Raises:
            UsageError: no task is named and there is none yet.
            GpugenError: the server says no; `wait`, `retry`, `replay`: the task did not succeed.
        """
        self._sending = sending
        if command.name in {"queue", "history", "models", "workers"}:
            getattr(listings, command.name)(self._client())
        elif command.about and is_group(command.about):
            self._of_grid(command.name, command.about)
        elif command.name == "replay":
            self._replay(str(command.about), command.extra)
        else:
            getattr(self, f"_{command.name}")(self._about(command))

    def note(self, task: str) -> None:
        """`task` is this notebook's latest now."""
        self._latest = task

    def send_off(self, followed: Followed) -> None:
        """Show it without waiting for it."""
        self._sent_off[followed.id] = Background(followed)
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
                self._follow(self._client().task(key))

    def _of_grid(self, name: str, group: str) -> None:
        if name == "cancel":
            self._client().api.cancel_group(group)
            return _say(f"The grid {group} is asked to stop.")
        if name not in {"wait", "attach", "show"}:
            raise UsageError(f"%gpugen {name} is for one task; {group} is a grid. See %gpugen history.")
        background = self._sent_off.pop(group, None)
        if background is not None and name == "wait":
            background.wait()
            return None
        if background is not None:
            background.stop()
        finished = self._client().api.group(group).finished
        followed = self._reopen(group, finished)
        if finished:
            with contextlib.suppress(GpugenError):  # what was drawn is what was asked for
                followed.conclude()
        elif name == "wait":
            followed.follow()
        else:
            followed.open()
            self.send_off(followed)

    def _follow(self, task: Task) -> object:
        self.note(self._sending.hold(task).id)
        return self._attach_to(task, False).follow()

    def _attach(self, task: str) -> None:
        handle = self._client().task(task)
        if handle.record.finished:
            return self._show(handle.id)
        kept = self._sent_off.pop(handle.id, None)
        if kept is not None:
            kept.stop()
        followed = self._attach_to(handle, False)
        followed.open()
        self.send_off(followed)

    def _show(self, task: str) -> None:
        handle = self._client().task(task)
        if not handle.record.finished:
            return _say(f"{_standing(handle)}\n%gpugen attach {handle.id} shows it live.")
        with contextlib.suppress(GpugenError):  # a failed task's card is what was asked for
            self._attach_to(handle, True).conclude()

    def _status(self, task: str) -> None:
        _say(_standing(self._client().task(task)))

    def _cancel(self, task: str) -> None:
        handle = self._client().task(task)
        if handle.record.finished:
            return _say(f"Task {handle.id} is over already: it {handle.record.state}.")
        record = handle.cancel()
        _say(f"Task {record.id} {'is canceled' if record.finished else 'stops after the present step'}.")

    def _retry(self, task: str) -> None:
        self._follow(self._sending.retry(self._client(), task))

    def _logs(self, task: str) -> None:
        client = self._client()
        listings.logs(client, client.task(task))

    def _replay(self, about: str, model: str | None) -> None:
        client = self._client()
        if is_id(about):
            original = replay.of_task(client.task(about), client, model)
        else:
            original = replay.of_file(Path(about), model)
        result = self._follow(self._sending.send(client, original.request))
        assert isinstance(result, Result)
        _say(replay.verdict(original, result))

    def _about(self, command: Command) -> str | None:
        """The task that is named, else the latest; `wait` alone is about all that were sent off."""
        if command.about or command.name == "wait":
            return command.about
        if self._latest is None:
            raise UsageError(
                "This kernel has submitted nothing yet: `%gpugen history` lists your tasks, "
                f"then `%gpugen {command.name} ID`."
            )
        return self._latest


def _standing(task: Task) -> str:
    record = task.record
    now = outcome(record) if record.finished else f"{record.state}: {Status(record).sentence}"
    return f"{headline(record.request.prompt)}\n{settings(record.request)}\n{now} · task {record.id}"


def _say(text: str) -> None:
    print(text)  # noqa: T201 - in a notebook this is the cell's output
