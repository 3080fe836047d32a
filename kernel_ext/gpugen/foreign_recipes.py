"""Recipes as other programs write them into PNG files: AUTOMATIC1111's web UI, ComfyUI, InvokeAI."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from gpugen_protocol.recipe import PARAMETERS_KEY, Recipe

# Their names for samplers, in lower case, without blanks and underscores, and without the mark of Karras.
_SAMPLERS = {
    "ddim": "ddim",
    "dpm++2m": "dpm++",
    "dpmpp2m": "dpm++",
    "euler": "euler",
    "keuler": "euler",
    "eulera": "euler-a",
    "keulera": "euler-a",
    "eulerancestral": "euler-a",
    "heun": "heun",
    "kheun": "heun",
    "lcm": "lcm",
    "plms": "pndm",
    "pndm": "pndm",
    "unipc": "unipc",
}
_PARAMETER = re.compile(r'\s*(\w[\w \-/]*):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_MAX_LINKS = 64  # followed from a sampler to what it reads: a graph may be a circle


def read(texts: Mapping[str, str]) -> Recipe | None:
    """The recipe in the text chunks `texts` of a PNG; None where none is whole."""
    readers: dict[str, Callable[[str], Recipe | None]] = {
        "invokeai_metadata": _invoke,
        "sd-metadata": _old_invoke,
        PARAMETERS_KEY: _a1111,
        "prompt": _comfy,
    }
    for key, reader in readers.items():
        try:
            found = reader(texts[key]) if key in texts else None
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            continue  # written by something else, or broken
        if found is not None:
            return found
    return None


def _a1111(text: str) -> Recipe | None:
    """The prompt, `Negative prompt: ...`, and last a line of `Steps: 20, Sampler: Euler a, ...`."""
    *above, last = text.strip().split("\n")
    fields = {name.strip(): value.strip().strip('"') for name, value in _PARAMETER.findall(last)}
    prompt, _, negative = "\n".join(above).partition("Negative prompt:")
    width, height = fields["Size"].split("x")
    return _recipe(
        prompt=prompt.strip(),
        negative_prompt=negative.strip(),
        model=fields.get("Model", ""),
        revision=fields.get("Model hash", ""),
        width=width,
        height=height,
        steps=fields["Steps"],
        guidance=fields["CFG scale"],
        scheduler=_scheduler(fields.get("Sampler", ""), fields.get("Schedule type", "")),
        seed=fields["Seed"],
    )


def _invoke(text: str) -> Recipe | None:
    found = json.loads(text)
    model = found.get("model") or {}
    return _recipe(
        prompt=found["positive_prompt"],
        negative_prompt=found.get("negative_prompt") or "",
        model=model.get("name") or model.get("model_name") or "",
        revision=str(model.get("hash") or ""),
        width=found["width"],
        height=found["height"],
        steps=found["steps"],
        guidance=found["cfg_scale"],
        scheduler=_scheduler(found.get("scheduler", "")),
        seed=found["seed"],
    )


def _old_invoke(text: str) -> Recipe | None:
    found = json.loads(text)
    image = found["image"]
    prompt = image["prompt"]
    return _recipe(
        prompt=prompt if isinstance(prompt, str) else " ".join(part["prompt"] for part in prompt),
        negative_prompt="",
        model=found.get("model_weights", ""),
        revision=found.get("model_hash", ""),
        width=image["width"],
        height=image["height"],
        steps=image["steps"],
        guidance=image["cfg_scale"],
        scheduler=_scheduler(image.get("sampler", "")),
        seed=image["seed"],
    )


def _comfy(text: str) -> Recipe | None:
    """A graph of nodes; an input is a value or a link `[node, output]`."""
    graph = json.loads(text)
    sampler: dict[str, Any] = next(
        (node for node in graph.values() if {"steps", "cfg"} <= node["inputs"].keys()), {}
    )
    inputs = {name: _followed(graph, value) for name, value in sampler["inputs"].items()}
    return _recipe(
        prompt=_nearest(graph, inputs["positive"], "text"),
        negative_prompt=_nearest(graph, inputs.get("negative"), "text") or "",
        model=str(_nearest(graph, inputs.get("model"), "ckpt_name", "unet_name") or "").rsplit(".", 1)[0],
        revision="",
        width=_nearest(graph, inputs["latent_image"], "width"),
        height=_nearest(graph, inputs["latent_image"], "height"),
        steps=inputs["steps"],
        guidance=inputs["cfg"],
        scheduler=_scheduler(str(inputs.get("sampler_name", "")), str(inputs.get("scheduler", ""))),
        seed=inputs.get("seed", inputs.get("noise_seed")),
    )


def _followed(graph: Mapping[str, Any], value: Any) -> Any:
    """The node behind a link; the value itself where it is none. A node with one value stands for it."""
    if not isinstance(value, list):
        return value
    inputs = graph[value[0]]["inputs"]
    only = next(iter(inputs.values())) if len(inputs) == 1 else None
    return only if isinstance(only, int | float) else graph[value[0]]


def _nearest(graph: Mapping[str, Any], node: Any, *names: str) -> Any:
    """The first of the inputs `names` at `node` or at those it is linked to, the nearest first."""
    waiting = [node]
    for _ in range(_MAX_LINKS):
        if not waiting:
            return None
        here = waiting.pop(0)
        if not isinstance(here, dict):
            continue
        for name in names:
            found = here["inputs"].get(name)
            if found is not None and not isinstance(found, list):
                return found
        waiting += [graph[link[0]] for link in here["inputs"].values() if isinstance(link, list)]
    return None


def _scheduler(name: str, schedule: str = "") -> str:
    plain = re.sub(r"[\s_]", "", name.lower())
    karras = plain.endswith(("karras", "2mk")) or schedule.lower() == "karras"
    known = _SAMPLERS.get(re.sub(r"karras$|(?<=2m)k$", "", plain), "")
    return "dpm++-karras" if known == "dpm++" and karras else known


def _recipe(**fields: Any) -> Recipe | None:
    if not fields["prompt"] or not isinstance(fields["prompt"], str) or fields["seed"] is None:
        return None
    numbers = {name: int(fields[name]) for name in ("width", "height", "steps", "seed")}
    guidance = float(fields["guidance"])
    return Recipe(**{**fields, **numbers, "guidance": guidance, "n": 1, "index": 0, "task": "", "gpugen": ""})
