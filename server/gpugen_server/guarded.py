"""A child process of the server that cannot outlive it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gpugen_server import guard

GRACE = 4.0  # seconds a child has to end by itself before it is killed


class Guarded:
    """A child that lives no longer than this process; start it with `await Guarded.start(...)`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        output: Path,
        environ: Mapping[str, str] | None = None,
        grace: float = GRACE,
    ) -> Guarded:
        """Run `command` with what it prints appended to the file `output`.

        Raises:
            OSError: the log file cannot be opened or no process can be started.
        """
        with output.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", guard.__file__, str(grace), "--", *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=None if environ is None else dict(environ),
                start_new_session=True,
            )
        return cls(process)

    @property
    def running(self) -> bool:
        """Whether the child, or at least its guard, is still there."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """The child's exit code, once it has ended; 128 + n when signal n ended it."""
        return await self._process.wait()

    async def stop(self) -> int:
        """Ask the child to end, see that it does within its grace, and give its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await self._process.wait()
