"""An observer that writes everything down, and stops the drawing when told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gpugen_worker.generator import Interrupted


@dataclass
class Recording:
    """`stop_after`: the number of steps after which the drawing is interrupted."""

    wants_preview: bool = True
    stop_after: int | None = None
    phases: list[tuple[str, str]] = field(default_factory=list)
    data: list[dict[str, Any]] = field(default_factory=list)
    logs: list[tuple[str, str]] = field(default_factory=list)
    steps: list[tuple[int, int, int]] = field(default_factory=list)
    previews: list[bytes] = field(default_factory=list)

    def check(self) -> None:
        if self.stop_after is not None and len(self.steps) >= self.stop_after:
            raise Interrupted

    def phase(self, phase: str, text: str = "", **data: Any) -> None:
        self.phases.append((phase, text))
        self.data.append(data)

    def log(self, level: str, message: str) -> None:
        self.logs.append((level, message))

    def step(self, image: int, step: int, steps: int, seconds_per_step: float) -> None:
        assert seconds_per_step > 0
        self.steps.append((image, step, steps))
        self.check()

    def preview(self, image: int, step: int, jpeg: bytes, seconds: float = 0.0) -> None:
        assert seconds >= 0
        self.previews.append(jpeg)
