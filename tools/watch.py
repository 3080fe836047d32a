"""The panel, built again and again as its sources change: `python -m tools.watch`, ended by Ctrl-C.

node and jlpm are Python scripts in front of the programs, and a Ctrl-C reaches all of them at once: each
would say so with a traceback. So they run in a session of their own, and are ended by a signal that they take
quietly.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PANEL = Path(__file__).parents[1] / "labextension"
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str]) -> int:
    """Until it is told to end, which is no failure; another command than `jlpm watch` may be given."""
    return run(arguments or ["jlpm", "watch"], PANEL)


def run(command: Sequence[str], folder: Path) -> int:
    """The exit code of `command`, run in `folder`; 0 if this process was told to end it, and all it started.

    This process takes signals for nothing else any more.
    """
    process = subprocess.Popen(command, cwd=folder, start_new_session=True)
    told: list[int] = []

    def end(number: int, _frame: object) -> None:
        told.append(number)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)

    for number in _ENDS:
        signal.signal(number, end)
    code = process.wait()
    return 0 if told else code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
