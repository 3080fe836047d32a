"""A small process between the server and a child: when the server is gone, the child ends too.

The guard's standard input is a pipe that only the server holds. A crash, a SIGKILL and a clean exit all close
it, which no exit handler can promise. The guard and its child each lead a session of their own, so that a
signal to the server's whole group does not take the guard before it has done its duty. This script imports
little of the standard library and nothing else: it is small and up in 20 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence


def main(arguments: Sequence[str]) -> int:
    """Run `GRACE -- COMMAND...` and end it at the end of standard input; gives the child's exit code."""
    grace, command = float(arguments[0]), list(arguments[2:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_death_signal(),  # noqa: PLW1509 (no other thread runs yet)
        )
    except OSError as error:
        print(f"{command[0]} does not start: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201
        return 127
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    threading.Thread(target=_watch_parent, args=(end,), daemon=True).start()
    threading.Thread(target=_end_when_asked, args=(end, child, grace), daemon=True).start()
    code = child.wait()
    _signal_group(child, hard=True)  # whatever the child itself has started
    return code if code >= 0 else 128 - code


def _watch_parent(end: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    end.set()


def _end_when_asked(end: threading.Event, child: subprocess.Popen[bytes], grace: float) -> None:
    end.wait()
    _signal_group(child, hard=False)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        _signal_group(child, hard=True)


def _signal_group(child: subprocess.Popen[bytes], *, hard: bool) -> None:
    try:
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL if hard else signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        pass  # it is gone already


def _death_signal() -> Callable[[], object] | None:
    """What makes the kernel kill the child should the guard itself be killed; only Linux can do that."""
    if sys.platform != "linux":
        return None
    import ctypes

    set_option = ctypes.CDLL(None).prctl
    return lambda: set_option(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
