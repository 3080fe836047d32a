"""Follow one task from its cell to its end: events in, a view kept up to date, a result or an error out."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from gpugen.client import Client, Task
from gpugen.ending import Cancelled, Ending
from gpugen.options import EmbedKind
from gpugen.result import Result
from gpugen.status import Status
from gpugen.view import View
from gpugen.words import farewell
from gpugen_protocol.errors import GpugenError, TaskCanceled

_TICK = 0.1  # seconds: how often the view may change, and how late a click on Cancel is noticed
PATIENCE = 5.0  # seconds an interrupted cell waits for the task to stop


class Submission:
    """A submitted task and its view. One thread at a time may follow it.

    Args:
        client: the server's.
        task: the handle of the task.
        view: where it is shown.
        cancel: set, by whatever thread, when the user wants it to stop.
        embed: what of the pictures stays in the notebook's file.
    """

    def __init__(
        self,
        client: Client,
        task: Task,
        view: View,
        cancel: threading.Event,
        embed: EmbedKind = "thumbnail",
    ) -> None:
        self._api = client.api
        self.task = task
        self.status = Status(task.record)
        self._view = view
        self._cancel = cancel
        self._embed = embed
        self._watch = task.watch()
        self._opened = False
        self._ending: Ending | None = None

    @property
    def id(self) -> str:
        """The task's."""
        return self.task.id

    def open(self, *, waits: bool = False) -> None:
        """Show it, unless it is shown already; in the thread of the cell."""
        if not self._opened:
            self._view.open(self.status, waits=waits)
            self._opened = True

    def follow(self) -> Result:
        """Show it from here to its end and give its images.

        Raises:
            GpugenError: it failed, was canceled, or cannot be followed any more.
            Cancelled: the user interrupted the cell; the task was asked to stop.
        """
        try:
            self.open(waits=True)
            self.pump()
            return self.conclude()
        except KeyboardInterrupt:
            raise self._interrupted() from None

    def pump(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Take events and show them until the task is finished (True) or `until` says so."""
        while not self.finished:
            if until():
                return False
            self._pass_on_cancel()
            self.look(_TICK)
            self._view.draw(self.status)
        return True

    def look(self, patience: float) -> None:
        """Take what has arrived, waiting up to `patience` seconds for the first of it."""
        if not self.finished:
            self._take_events(patience)
            self._fetch_images()

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to follow."""
        return self.status.finished or self.status.failure is not None

    def conclude(self) -> Result:
        """Replace the view by what stays; again if asked again. Raises GpugenError as `follow`."""
        ending = self.end()
        self._view.finish(ending)
        if ending.error is not None:
            raise ending.error
        return self.result

    def end(self) -> Ending:
        """How it ended; nothing more is followed."""
        self._ending = self._ending or self._make_ending()
        self._watch.close()
        return self._ending

    @property
    def result(self) -> Result:
        """The images there are."""
        return Result(self._api, self.task.record, dict(self.status.images))

    def _take_events(self, patience: float) -> None:
        try:
            event = self._watch.get(patience)
            while event is not None:
                self.status.apply(event)
                event = self._watch.get(0)
        except GpugenError as error:
            self.status.failure = error

    def _pass_on_cancel(self) -> None:
        if self._cancel.is_set() and not self.status.canceling:
            self.status.canceling = True
            try:
                self.task.cancel()
            except GpugenError:
                self._cancel.clear()  # the button can be clicked again
                self.status.canceling = False

    def _fetch_images(self) -> None:
        """The finished images that are not here yet; one that does not come now comes at the end."""
        for index in sorted(self.status.announced - self.status.images.keys()):
            with contextlib.suppress(GpugenError):
                self.status.images[index] = self._api.image(self.task.id, index)

    def _make_ending(self) -> Ending:
        error = self.status.failure
        try:
            self.task.result()
        except GpugenError as reason:
            error = error or reason
        except TimeoutError:  # it goes on, but we cannot follow it
            pass
        self.status.announced.update(image.index for image in self.task.record.images)
        self._fetch_images()
        return self.end_with(error)

    def end_with(self, error: GpugenError | None) -> Ending:
        """How it ended, as far as is known here, and for this reason."""
        return Ending(
            task=self.task.record,
            pngs=tuple(png for _, png in sorted(self.status.images.items())),
            error=error,
            elapsed=self.status.elapsed,
            warnings=tuple(self.status.warnings),
            embed=self._embed,
        )

    def _interrupted(self) -> Cancelled:
        """Stop the task and leave what there is; a second interrupt leaves at once."""
        self.status.canceling = True
        told = False
        try:
            self.task.cancel()
            told = True
            deadline = time.monotonic() + PATIENCE
            self.pump(until=lambda: time.monotonic() > deadline)
            ending = self._make_ending()
        except GpugenError as error:
            ending = self.end_with(error)
        except KeyboardInterrupt:
            ending = self.end_with(TaskCanceled("Interrupted."))
        self._ending = ending
        with contextlib.suppress(GpugenError):
            self.conclude()
        drawn = len(ending.pngs)
        return Cancelled(farewell(ending.task, drawn, told=told, command="%gpugen"))
