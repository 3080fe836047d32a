"""A generator whose libraries are still being imported: the worker claims meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

from gpugen_protocol.errors import describe
from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.generator import NOISE, DrawingFailed, Generator, Observer, Start

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")

_LOOK = 0.2  # seconds between two looks whether the task was canceled


class BackgroundGenerator:
    """Stands for the generator that `make` gives, from the first moment on.

    Args:
        models: what it will be able to draw with.
        make: imports and builds it; runs in a thread that does not hold up the program's end.
        meanwhile: what can be done before that for a model that a task asks for; in such a thread.
    """

    def __init__(
        self,
        models: tuple[str, ...],
        make: Callable[[], Generator],
        meanwhile: Callable[[str], object] = lambda model: None,
    ) -> None:
        self.models = models
        self._meanwhile = meanwhile
        self._made: Future[Generator] = Future()
        _in_background(self._make, make)

    @property
    def loaded(self) -> tuple[str, ...]:
        """What is in memory: nothing as long as the import runs."""
        if not self._made.done() or self._made.exception() is not None:
            return ()
        return self._made.result().loaded

    def draw(self, request: ResolvedRequest, observer: Observer, start: Start = NOISE) -> Iterator[Image]:
        """As `Generator.draw`; waits for the import first."""
        if not self._made.done():
            _in_background(self._meanwhile, request.model)
            self._await(observer)
        failure = self._made.exception()
        if failure is not None:
            raise DrawingFailed(
                "error",
                f"The worker's libraries do not load. {describe(failure)}",
                hint="Install them anew: pip install --force-reinstall 'gpugen[worker]'",
            ) from failure
        yield from self._made.result().draw(request, observer, start)

    def _await(self, observer: Observer) -> None:
        observer.phase("loading", "Starting PyTorch")
        while not wait([self._made], timeout=_LOOK).done:
            observer.check()

    def _make(self, make: Callable[[], Generator]) -> None:
        try:
            self._made.set_result(make())
        except BaseException as error:  # also a SystemExit or a panic of Rust: `draw` waits, and tells it
            self._made.set_exception(error)


def _in_background(call: Callable[[T], object], argument: T) -> None:
    threading.Thread(target=call, args=(argument,), daemon=True).start()
