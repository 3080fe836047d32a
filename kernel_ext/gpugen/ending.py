"""How a submission ended, for the views; and how it ends when the user interrupts it."""

from __future__ import annotations

from msgspec import Struct

from gpugen.options import EmbedKind
from gpugen.sweep_status import SweepStatus
from gpugen_protocol.errors import GpugenError
from gpugen_protocol.task import Task


class Ending(Struct, frozen=True, kw_only=True):
    """A task nothing more will be shown of.

    Attributes:
        pngs: the finished images in order; fewer than asked for when it was canceled or failed.
        error: why it did not succeed; None if it did.
        elapsed: seconds the user waited.
        warnings: what the worker warned of.
        embed: what of the pictures stays in the notebook's file.
    """

    task: Task
    pngs: tuple[bytes, ...]
    error: GpugenError | None
    elapsed: float
    warnings: tuple[str, ...] = ()
    embed: EmbedKind = "thumbnail"


class SweepEnding(Struct, frozen=True, kw_only=True):
    """A grid nothing more will be shown of.

    Attributes:
        status: all as one.
        members: how each point ended.
        error: why the first that did not succeed did not; None if all did.
        elapsed: seconds the user waited.
        embed: what of the pictures stays in the notebook's file.
    """

    status: SweepStatus
    members: tuple[Ending, ...]
    error: GpugenError | None
    elapsed: float
    embed: EmbedKind = "thumbnail"


class Cancelled(KeyboardInterrupt):
    """The cell was interrupted and its task canceled. As an interrupt it also stops a Run All."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
