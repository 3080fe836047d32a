"""A grid: many tasks in one group, submitted, followed and shown as one."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable

from gpugen.client import Client, Task
from gpugen.ending import Cancelled, Ending, SweepEnding
from gpugen.grid_result import GridResult
from gpugen.submission import PATIENCE, Submission
from gpugen.sweep_status import SweepStatus
from gpugen.view import View
from gpugen.words import farewell_of_grid
from gpugen_protocol.errors import GpugenError, TaskCanceled

_GLANCE = 0.05  # seconds between two looks at all tasks


def new_group() -> str:
    """A name that no other grid has."""
    return f"grid-{secrets.token_hex(8)}"


class Sweep:
    """The tasks of a grid and their one view. One thread at a time may follow it.

    Args:
        client: the server's.
        status: all of `members` as one.
        members: the submissions of the points, without views of their own.
        view: where all is shown.
        cancel: set, by whatever thread, when the user wants all to stop.
    """

    def __init__(
        self,
        client: Client,
        status: SweepStatus,
        members: list[Submission],
        view: View,
        cancel: threading.Event,
    ) -> None:
        self._client = client
        self.status = status
        self.id = status.name
        self._members = members
        self._view = view
        self._cancel = cancel
        self._opened = False
        self._ending: SweepEnding | None = None

    @property
    def tasks(self) -> list[Task]:
        """The handles, in the order of the points."""
        return [member.task for member in self._members]

    def open(self, *, waits: bool = False) -> None:
        """Show it, unless it is shown already; in the thread of the cell."""
        if not self._opened:
            self._view.open(self.status, waits=waits)
            self._opened = True

    def follow(self) -> GridResult:
        """Show it to its end and give its images; raises as `Submission.follow`."""
        try:
            self.open(waits=True)
            self.pump()
            return self.conclude()
        except KeyboardInterrupt:
            raise self._interrupted() from None

    def pump(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Take events and show them until all are finished (True) or `until` says so."""
        while not self.status.finished:
            if until():
                return False
            if self._cancel.is_set() and not self.status.canceling:
                with contextlib.suppress(GpugenError):
                    self._cancel_all()
            for member in self._members:
                member.look(0.0)
            self._view.draw(self.status)
            time.sleep(_GLANCE)
        return True

    def conclude(self) -> GridResult:
        """Replace the view by what stays; again if asked again. Raises GpugenError if any has failed."""
        ending = self._ending or self._end([member.end() for member in self._members])
        self._ending = ending
        self._view.finish(ending)
        if ending.error is not None:
            raise ending.error
        return self.result

    @property
    def result(self) -> GridResult:
        """The images there are."""
        return GridResult(self.status.points, [member.result for member in self._members])

    def _end(self, endings: list[Ending]) -> SweepEnding:
        return SweepEnding(
            status=self.status,
            members=tuple(endings),
            error=next((each.error for each in endings if each.error is not None), None),
            elapsed=self.status.elapsed,
            embed=endings[0].embed,
        )

    def _cancel_all(self) -> None:
        self.status.canceling = True
        self._client.api.cancel_group(self.id)

    def _interrupted(self) -> Cancelled:
        """Stop all and leave what there is; a second interrupt leaves at once."""
        told = False
        try:
            self._cancel_all()
            told = True
            deadline = time.monotonic() + PATIENCE
            self.pump(until=lambda: time.monotonic() > deadline)
            ending = self._end([member.end() for member in self._members])
        except GpugenError as error:
            ending = self._end([member.end_with(error) for member in self._members])
        except KeyboardInterrupt:
            ending = self._end([member.end_with(TaskCanceled("Interrupted.")) for member in self._members])
        self._ending = ending
        with contextlib.suppress(GpugenError):
            self.conclude()
        drawn = sum(len(each.pngs) for each in ending.members)
        return Cancelled(farewell_of_grid(self.id, drawn, told=told, command="%gpugen"))
