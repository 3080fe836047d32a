"""Being told to stop: the first signal or notice asks, a second signal insists."""

from __future__ import annotations

import _thread
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Stopped(BaseException):
    """Raised in the main thread where the program must end now.

    No `Exception`, so that no library in between takes it for its own.
    """


class Stop:
    """Whether the program was told to stop, and until when a running task may finish.

    Args:
        grace: seconds from the first signal or notice on.
    """

    def __init__(self, grace: float) -> None:
        self.requested = False
        self.deadline = math.inf
        self._grace = grace
        self._idle = False
        self._signaled = False  # somebody has sent one: the next one insists
        self._raised = False
        self._on_request: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Listen to SIGTERM and SIGINT; only the main thread may."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Inside, nothing would be lost: the first signal already raises Stopped."""
        self._idle = True
        try:
            if self.requested:
                raise Stopped
            yield
        finally:
            self._idle = False

    @contextmanager
    def telling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Inside, being asked calls `callback`, in the signal handler or a thread: it must be reentrant."""
        self._on_request = callback
        try:
            yield
        finally:
            self._on_request = lambda: None

    def notice(self) -> None:
        """The machine will soon be gone, says another thread: as a first signal.

        It does not count as one, since a machine that is taken away sends its own SIGTERM a moment later.
        """
        self._ask()
        if self._idle:  # else the main thread looks before it waits again
            self._reach_main_thread()

    def interrupt(self) -> None:
        """Raise Stopped in the main thread, from any other one."""
        self.requested = self._signaled = True
        self._reach_main_thread()

    def _reach_main_thread(self) -> None:
        if hasattr(signal, "pthread_kill"):  # a real signal also ends a wait of the main thread
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        else:
            _thread.interrupt_main(signal.SIGTERM)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._raised:  # Stopped is on its way: raised again it would hit the cleaning up
            return
        if self._idle or self._signaled:
            self.requested = self._raised = True
            raise Stopped
        self._signaled = True
        self._ask()

    def _ask(self) -> None:
        if not self.requested:
            self.deadline = time.monotonic() + self._grace
            self.requested = True
            self._on_request()
