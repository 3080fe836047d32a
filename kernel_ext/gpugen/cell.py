"""A request as the cell that makes it: what "copy recipe" copies."""

from __future__ import annotations

import re
import shlex

from gpugen_protocol.request import ResolvedRequest

_SPECIAL = re.compile(r"\{\{.*?\}\}|^[ \t]*---[ \t]*$", re.DOTALL | re.MULTILINE)


def of_request(request: ResolvedRequest) -> str:
    """The `%%gpugen` cell that draws the same; an image to start from is named by its variable."""
    options = {
        "-m": request.model,
        "-n": request.n if request.n > 1 else None,
        "--seed": request.seed,
        "--size": f"{request.width}x{request.height}",
        "--steps": request.steps,
        "--guidance": f"{request.guidance:g}",
        "--scheduler": request.scheduler,
        "--init": "IMAGE" if request.init_image else None,
        "--mask": "MASK" if request.mask_image else None,
        "--strength": f"{request.strength:g}" if request.strength is not None else None,
    }
    words = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    texts = [request.prompt]
    if _SPECIAL.search(request.prompt + "\n" + request.negative_prompt):
        words += ["--raw", *(("--negative", request.negative_prompt) if request.negative_prompt else ())]
    elif request.negative_prompt:
        texts += ["---", request.negative_prompt]
    return "\n".join((f"%%gpugen {shlex.join(words)}", *texts))
