"""Keeps the hold on a task in a thread of its own, and ends a process whose drawing does not end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from gpugen_protocol.worker import Lease
from gpugen_worker.lease import Hold
from gpugen_worker.log import log
from gpugen_worker.patience import Patience
from gpugen_worker.session import ServerSession
from gpugen_worker.stop import Stop
from gpugen_worker.task_log import told

WEDGED = 70  # the exit code after a drawing that does not end


class Keeper:
    """Keeps one hold after the other, in one thread whose connection stays open."""

    def __init__(self, session: ServerSession, stop: Stop, patience: Patience) -> None:
        self._session = session
        self._stop = stop
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beat")

    @contextmanager
    def hold(self, lease: Lease) -> Iterator[Hold]:
        """The hold on `lease`; when the block is left, everything reported has been told."""
        hold = Hold(lease, self._session, self._stop, self._patience)
        with self._stop.telling(hold.wake):
            beating = self._thread.submit(self._beat, hold)
            try:
                with told(hold.log):
                    yield hold
            finally:
                hold.close()
                beating.result()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _beat(self, hold: Hold) -> None:
        try:
            hold.beat()
        except Exception:  # without heartbeats the task is not ours; the worker goes on with the next
            log.exception("The heartbeat of task %s broke off", hold.lease.task.id)
            hold.lose()
        if hold.reason == "released":
            self._stop.interrupt()  # also out of a step or a load that takes long
        if not hold.see_out():
            _end_process(hold)


def _end_process(hold: Hold) -> None:
    """No thread can be stopped from outside: leave at once, whoever started this worker starts another."""
    log.critical("Task %s: the drawing does not stop, so the worker ends itself", hold.lease.task.id)
    sys.stderr.flush()
    os._exit(WEDGED)
