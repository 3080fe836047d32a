"""What the models are loaded on."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch


@dataclass(frozen=True)
class Hardware:
    """Where tensors live and in which precision; `memory_bytes` is all that the device has."""

    device: str
    dtype: torch.dtype
    memory_bytes: int


def find_hardware() -> Hardware:
    """CUDA in bfloat16 (float16 where the GPU has none), else Apple's GPU, else the CPU in float32."""
    if torch.cuda.is_available():  # not tried: needs a GPU
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return Hardware("cuda", dtype, torch.cuda.get_device_properties(0).total_memory)
    memory = psutil.virtual_memory().total
    if torch.backends.mps.is_available():  # not tried: needs a Mac
        return Hardware("mps", torch.float16, memory)
    return Hardware("cpu", torch.float32, memory)
