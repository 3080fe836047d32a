"""How a submission ended, for the views; and how it ends when the user interrupts it."""

from __future__ import annotations

from msgspec import Struct

from gpugen_protocol.errors import GpugenError
from gpugen_protocol.task import Task


class Ending(Struct, frozen=True, kw_only=True):
    """A task nothing more will be shown of.

    Attributes:
        pngs: the finished images in order; fewer than asked for when it was canceled or failed.
        error: why it did not succeed; None if it did.
        elapsed: seconds the user waited.
        warnings: what the worker warned of.
    """

    task: Task
    pngs: tuple[bytes, ...]
    error: GpugenError | None
    elapsed: float
    warnings: tuple[str, ...] = ()


class Cancelled(KeyboardInterrupt):
    """The cell was interrupted and its task canceled. As an interrupt it also stops a Run All."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
