"""What gpugen adds to the bare pipeline call on a warm worker."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median, spread
from benchmarks.processes import server, worker
from gpugen import Client

ROUNDS = 12
PROMPT = "a slice of pizza"
STEPS = 12


def run() -> list[Figure]:
    """The same request by turns through `client.generate()` and through the bare pipeline, at 64 px."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        folder = Path(name)
        with server(folder) as running, worker(running, folder):
            client = Client(running.url, running.user_token)
            _through_gpugen(client)
            pipeline = _bare_pipeline()
            _bare(pipeline)
            pairs = [(_through_gpugen(client), _bare(pipeline)) for _ in range(ROUNDS)]
    added = [ours - bare for ours, bare in pairs]
    return [
        Figure("client.generate(), 64 px, median", median([ours for ours, _ in pairs]), "ms"),
        Figure("bare pipeline call, 64 px, median", median([bare for _, bare in pairs]), "ms"),
        Figure("added by gpugen, median of pairs", median(added), "ms", 60.0, spread(added)),
    ]


def _through_gpugen(client: Client) -> float:
    start = time.perf_counter()
    client.generate(PROMPT, width=64, height=64, steps=STEPS, seed=7).png(0)
    return (time.perf_counter() - start) * 1000


def _bare_pipeline() -> object:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # as the worker sets it, so that both draw alike
    from diffusers import DiffusionPipeline

    import gpugen_worker

    pipeline = DiffusionPipeline.from_pretrained(Path(gpugen_worker.__file__).parent / "models" / "emoji")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _bare(pipeline: object) -> float:
    import torch

    start = time.perf_counter()
    pipeline(  # type: ignore[operator]
        PROMPT, width=64, height=64, num_inference_steps=STEPS, generator=torch.Generator().manual_seed(7)
    )
    return (time.perf_counter() - start) * 1000
