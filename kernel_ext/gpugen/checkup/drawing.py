"""A look at what draws on this machine: torch and its device, diffusers, the bundled model."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gpugen.checkup.finding import Environ, Finding, fail, ok, warn
from gpugen_client.named import is_named
from gpugen_protocol import models

PATIENCE = 60.0  # seconds torch may take to be imported on a cold disk
_NEEDED = ("torch", "diffusers", "transformers")

# In a process of its own: importing torch takes seconds, and a broken build of it may crash.
_PROBE = """
import json, importlib.metadata as metadata, torch
cuda = torch.cuda.is_available()
mps = torch.backends.mps.is_available()
print(json.dumps({
    "torch": torch.__version__, "diffusers": metadata.version("diffusers"),
    "device": torch.cuda.get_device_name() if cuda else "Apple GPU (MPS)" if mps else "CPU",
    "memory": torch.cuda.get_device_properties(0).total_memory if cuda else 0,
    "threads": torch.get_num_threads(), "built_for_cuda": torch.version.cuda,
}))
"""


def device(environ: Environ) -> Finding:
    """What a worker on this machine would draw with."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        text = f"{', '.join(missing)} not installed: no worker can run here"
        return _by_need(environ, "device", text, "pip install 'gpugen[worker]'")
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _PROBE],
            capture_output=True,
            timeout=PATIENCE,
            text=True,
            check=False,
        )
        seen = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return warn("device", f"torch was not imported within {PATIENCE:g} s", "Try again; is the disk busy?")
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return _by_need(environ, "device", f"torch cannot be imported: {last}", "Install torch anew.")
    return _device(seen)


def bundled_model(environ: Environ) -> Finding:
    """Whether the default model is there."""
    registry = models.parse_registry({})
    model = registry.get(models.DEFAULT_MODEL)
    worker = find_spec("gpugen_worker")
    if worker is None or worker.origin is None:
        return _by_need(
            environ, "bundled model", "the worker is not installed", "pip install 'gpugen[worker]'"
        )
    folder = Path(worker.origin).parent / "models" / model.bundled
    if not (folder / "model_index.json").is_file():
        return _by_need(
            environ,
            "bundled model",
            f"{model.name} is not in {folder}",
            "Install gpugen anew: a file is missing.",
        )
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return ok("bundled model", f"{model.name}, {size / 1e6:.0f} MB, drawn at {model.width}x{model.height}")


def _device(seen: dict[str, Any]) -> Finding:
    memory = f", {seen['memory'] / 1e9:.0f} GB" if seen["memory"] else ""
    text = f"{seen['device']}{memory}; torch {seen['torch']}, diffusers {seen['diffusers']}"
    if seen["device"] != "CPU":
        return ok("device", text)
    text += f", {seen['threads']} threads"
    if seen["built_for_cuda"]:
        return warn("device", text, "torch is built for CUDA but sees no GPU: check the driver (nvidia-smi).")
    return ok("device", f"{text}: fine for the bundled model, slow for large ones")


def _by_need(environ: Environ, part: str, text: str, hint: str) -> Finding:
    """Nobody needs a worker here whose server is elsewhere."""
    return warn(part, text, hint) if is_named(environ) else fail(part, text, hint)
