"""The server's decoders: child processes that are started when an image comes, and replaced when they fail.

Blocking: call it on a thread. As many children live as threads ask at the same time.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from typing import Any, TypeVar

import msgspec

from gpugen_protocol.errors import InvalidImage, Unavailable
from gpugen_protocol.recipe import Recipe
from gpugen_server.images.codec import Cleaned, Encoded
from gpugen_server.images.decoding import Answer, Clean, Encode, Job, Thumbnail, receive, send

T = TypeVar("T")

SECONDS = 30.0  # that one image may take, by the clock on the wall
LARGEST_ANSWER = 32 * 2**20  # bytes; the largest PNG of ours has some 17 MB
_FAREWELL = 1.0  # seconds; without its pipes a child ends at once, unless it is stuck
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")  # no tokens, no addresses


class Decoders:
    """Decodes in other processes.

    Args:
        seconds: what one image may take; a child that takes longer is killed.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._free: queue.LifoQueue[_Child] = queue.LifoQueue()

    def encode(self, data: bytes, recipe: Recipe) -> Encoded:
        """As `codec.encode`.

        Raises:
            InvalidImage: as there, or it took too much memory or time.
            Unavailable: no process could be started.
        """
        return self._ask(Encode(data, recipe), Encoded)

    def clean(self, data: bytes, longest: int) -> Cleaned:
        """As `codec.clean`; raises as `encode`."""
        return self._ask(Clean(data, longest), Cleaned)

    def thumbnail(self, png: bytes, side: int) -> bytes:
        """As `codec.thumbnail`; raises as `encode`."""
        return self._ask(Thumbnail(png, side), bytes)

    def close(self) -> None:
        """End the children that have nothing to do."""
        while not self._free.empty():
            self._free.get_nowait().end()

    def _ask(self, job: Job, kind: type[T]) -> T:
        child = self._child()
        answer = child.ask(job, self._seconds)
        if answer is None and child.end() == 0:  # it had nothing to do for a while, and ended just now
            child = _Child(self._seconds)
            answer = child.ask(job, self._seconds)
        if answer is None:
            child.end()
            raise InvalidImage("The image takes too much memory or time to decode.")
        self._free.put(child)
        if answer.refusal:
            raise InvalidImage(answer.refusal)
        return msgspec.msgpack.decode(answer.result, type=kind)

    def _child(self) -> _Child:
        while not self._free.empty():
            child = self._free.get_nowait()
            if child.awake():
                return child
            child.end()
        return _Child(self._seconds)


class _Child:
    """One decoder process."""

    def __init__(self, seconds: float) -> None:
        environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        command = (sys.executable, "-P", "-m", "gpugen_server.images.decoder", str(seconds))
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        try:
            self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environ, **pipes)
        except OSError as error:
            raise Unavailable(
                f"No process to decode images starts: {error.strerror}.", retry_after=5.0
            ) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs, self._answers = self._process.stdin, self._process.stdout

    def awake(self) -> bool:
        """Whether it is still there: one that had nothing to do for a while has ended."""
        return self._process.poll() is None

    def ask(self, job: Job, seconds: float) -> Answer | None:
        """Its answer; None if it gave none in time, or nothing that is an answer."""
        watch = threading.Timer(seconds, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            send(self._jobs, job)
            answer: Answer | None = receive(self._answers, Answer, LARGEST_ANSWER)
            return answer
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        finally:
            watch.cancel()

    def end(self) -> int:
        """End it, whatever it does; gives its exit code, 0 if it ended by itself."""
        for pipe in (self._jobs, self._answers):
            with contextlib.suppress(OSError):  # what was left to be written is for nobody
                pipe.close()
        try:
            return self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
