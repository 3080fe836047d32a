"""What previews add to the time of a drawing somebody watches."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.figures import Figure, median, spread

ROUNDS = 15
STEPS = 12
SIDE = 128


def run() -> list[Figure]:
    """The same drawing by turns unwatched, watched as a worker is, and with a preview after every step."""
    from gpugen_protocol.models import parse_registry
    from gpugen_protocol.request import TaskRequest
    from gpugen_worker.diffusion import DiffusionGenerator

    registry = parse_registry({})
    asked = TaskRequest(prompt="a slice of pizza", width=SIDE, height=SIDE, steps=STEPS)
    request = registry.resolve(asked, seed=7)
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        generator = DiffusionGenerator((registry.get("emoji"),), data_dir=Path(name))

        def seconds(observer: Any) -> float:
            since = time.perf_counter()
            list(generator.draw(request, observer))
            return time.perf_counter() - since

        seconds(_unwatched())
        rounds = [(seconds(_unwatched()), seconds(_watched()), seconds(_greedy())) for _ in range(ROUNDS)]
    watched = [with_them / without for without, with_them, _ in rounds]
    greedy = [with_them / without for without, _, with_them in rounds]
    return [
        Figure(
            f"{STEPS} steps, {SIDE} px, nobody watches", 1000 * median([each[0] for each in rounds]), "ms"
        ),
        Figure("with previews as a worker makes them, ratio", median(watched), "x", 1.10, spread(watched)),
        Figure("with a preview after every step, ratio", median(greedy), "x", None, spread(greedy)),
        *_single(),
    ]


def _single() -> list[Figure]:
    """One preview alone."""
    import diffusers
    import torch

    from gpugen_worker.preview import LinearLook, preview_picture, small_jpeg
    from gpugen_worker.tiny_decoder import TinyDecoder

    looks = {
        "linear": LinearLook(torch.randn(5, 3)),
        "tiny autoencoder": TinyDecoder(diffusers.AutoencoderTiny()),
    }
    figures = []
    for side in (SIDE, 512):
        latents = torch.randn(1, 4, side // 8, side // 8)
        for name, look in looks.items():
            took = []
            for _ in range(5):
                since = time.perf_counter()
                small_jpeg(preview_picture(latents, look))
                took.append(1000 * (time.perf_counter() - since))
            figures.append(
                Figure(f"one preview of {side} px, {name}", median(took), "ms", None, spread(took))
            )
    return figures


def _hold() -> Any:
    """A worker's hold on a task, whose reports go nowhere."""
    from gpugen_worker.lease import Hold
    from gpugen_worker.patience import Patience
    from gpugen_worker.stop import Stop

    session: Any = SimpleNamespace(terms=SimpleNamespace(heartbeat_seconds=10.0))
    task = SimpleNamespace(request=SimpleNamespace(n=1))
    lease: Any = SimpleNamespace(expires_in=600.0, task=task)
    return Hold(lease, session, Stop(1.0), Patience())


def _unwatched() -> Any:
    hold = _hold()
    hold._previews = False
    return hold


def _watched() -> Any:
    return _hold()


def _greedy() -> Any:
    hold = _hold()

    class Greedy(type(hold)):
        wants_preview = True

    hold.__class__ = Greedy
    return hold
