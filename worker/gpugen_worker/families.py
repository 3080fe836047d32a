"""What differs between architectures: the arguments of a call, and how much of a prompt is read."""

from __future__ import annotations

from typing import Any

from gpugen_protocol.models import Model
from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.generator import NOISE, Start


def call_arguments(model: Model, request: ResolvedRequest, start: Start = NOISE) -> dict[str, Any]:
    """What the pipeline of `model` is called with to draw `request`; seeds and callbacks come on top."""
    arguments: dict[str, Any] = {
        "prompt": request.prompt,
        "num_inference_steps": request.steps,
        "output_type": "np",
        **_canvas(model, request, start),
    }
    if model.family in {"sd3", "flux", "qwen-image", "z-image"} and model.max_prompt_tokens:
        arguments["max_sequence_length"] = model.max_prompt_tokens
    if model.family == "qwen-image":
        # its guidance is called true_cfg_scale, and works only against some negative prompt
        return {
            **arguments,
            "true_cfg_scale": request.guidance,
            "negative_prompt": request.negative_prompt or " ",
        }
    arguments["guidance_scale"] = request.guidance
    if model.negative and request.negative_prompt:
        arguments["negative_prompt"] = request.negative_prompt
    return arguments


def _canvas(model: Model, request: ResolvedRequest, start: Start) -> dict[str, Any]:
    """What it draws on: noise of a size, or an image; some classes take the size from that."""
    size = {"width": request.width, "height": request.height}
    if start.image is None:
        return size
    canvas = {"image": start.image, "strength": request.strength}
    if start.mask is not None:
        return {**canvas, "mask_image": start.mask, **size}
    return canvas if model.family in {"sd", "sdxl"} else {**canvas, **size}


def unread_text(model: Model, pipeline: Any, prompt: str) -> str:
    """The end of `prompt` that no text encoder of the pipeline reads; empty when all of it is read."""
    tokenizer = _longest_reader(model, pipeline)
    if tokenizer is None:
        return ""
    limit = tokenizer.model_max_length if model.family in {"sd", "sdxl"} else model.max_prompt_tokens
    tokens = tokenizer(prompt, truncation=False, add_special_tokens=True).input_ids
    if not limit or len(tokens) <= limit:
        return ""
    ending = tokenizer.num_special_tokens_to_add() - (tokenizer.bos_token_id == tokens[0])
    unread = tokens[limit - ending : len(tokens) - ending]
    return str(tokenizer.decode(unread, skip_special_tokens=True)).strip()


def _longest_reader(model: Model, pipeline: Any) -> Any:
    """Of several text encoders the one that reads most: T5 where there is one."""
    names = {"sd3": ("tokenizer_3", "tokenizer"), "flux": ("tokenizer_2",)}.get(model.family, ("tokenizer",))
    return next((found for name in names if (found := getattr(pipeline, name, None)) is not None), None)
