"""From a submit to the first denoising step with no worker there, against what it cannot do without."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median, spread
from benchmarks.processes import server
from gpugen import Client
from gpugen_protocol.events import PhaseEvent, ProgressEvent

ROUNDS = 7
STEPS = 12  # as many as the model asks for by itself
GONE = 0.3  # seconds an idle worker stays
# What no worker can do without, as a program of its own: nothing but the two, with the worker's switches.
ALONE = """
import os, sys, time
start = time.perf_counter()
os.environ.update(DIFFUSERS_DISABLE_REMOTE_CODE="true", OMP_WAIT_POLICY="PASSIVE")
from diffusers import StableDiffusionPipeline
StableDiffusionPipeline.from_pretrained(sys.argv[1], use_safetensors=True, local_files_only=True)
print(time.perf_counter() - start)
"""


def run() -> list[Figure]:
    """By turns: a task of an idle server whose worker has left; bare import and load in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        folder = Path(name)
        with server(folder, autoscaler="local", idle_exit=f"{GONE}") as running:
            client = Client(running.url, running.user_token)
            pairs = [(_cold(client), _alone()) for _ in range(ROUNDS)]
    stages = [times for times, _ in pairs]
    shared = [stage for stage in stages[0] if all(stage in each for each in stages)]  # what some pass unseen
    alone = [seconds for _, seconds in pairs]
    ratios = [times["first step"] / seconds for times, seconds in pairs]
    return [
        *(Figure(f"submit -> {stage}", median([each[stage] for each in stages]), "s") for stage in shared),
        Figure("import of the pipeline class + load, alone", median(alone), "s", note=spread(alone)),
        Figure(
            "submit -> first step against that, median of pairs", median(ratios), "x", 1.3, spread(ratios)
        ),
    ]


def _cold(client: Client) -> dict[str, float]:
    """Seconds from the submit to each stage of a task that finds no worker."""
    _wait_for_none(client)
    start = time.perf_counter()
    task = client.submit("a slice of pizza", steps=STEPS)
    times: dict[str, float] = {}
    for event in task.events():
        if isinstance(event, PhaseEvent):
            times[event.text or event.phase] = time.perf_counter() - start
        elif isinstance(event, ProgressEvent) and event.step:
            times["first step"] = time.perf_counter() - start
            break
    task.cancel()
    task.settle(30)
    return times


def _wait_for_none(client: Client) -> None:
    deadline = time.monotonic() + 60
    while client.workers():
        if time.monotonic() > deadline:
            raise RuntimeError("the worker did not leave")
        time.sleep(0.1)
    time.sleep(0.5)  # its process has ended as well


def _alone() -> float:
    import gpugen_worker

    model = str(Path(gpugen_worker.__file__).parent / "models" / "emoji")
    command = [sys.executable, "-P", "-c", ALONE, model]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
