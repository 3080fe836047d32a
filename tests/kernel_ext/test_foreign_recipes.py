"""Recipes as other programs write them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import gpugen
from gpugen import foreign_recipes
from gpugen_protocol.errors import InvalidRequest

A1111 = """a (red:1.2) cat, <lora:x:1>
in the snow
Negative prompt: blurry, text
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 1234567890, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned, Lora hashes: "x: 1, y: 2", Version: v1.10.1"""
COMFY: dict[str, Any] = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 5,
            "steps": 30,
            "cfg": 6.0,
            "sampler_name": "euler_ancestral",
            "scheduler": "normal",
            "denoise": 1,
            "model": ["10", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_base_1.0.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 1024, "height": 832, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red cat", "clip": ["10", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["10", 1]}},
    "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "x", "model": ["4", 0], "clip": ["4", 1]}},
}
INVOKE = {
    "positive_prompt": "a red cat",
    "negative_prompt": "blurry",
    "seed": 9,
    "steps": 25,
    "cfg_scale": 7,
    "scheduler": "dpmpp_2m_k",
    "width": 640,
    "height": 512,
    "model": {"name": "Juggernaut", "hash": "blake3:1"},
}


def png(**chunks: str) -> bytes:
    info = PngInfo()
    for name, text in chunks.items():
        info.add_text(name.replace("sd_metadata", "sd-metadata"), text)
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def test_the_web_ui_of_automatic1111() -> None:
    found = gpugen.recipe(png(parameters=A1111))
    assert found.prompt == "a (red:1.2) cat, <lora:x:1>\nin the snow"
    assert (found.negative_prompt, found.scheduler, found.guidance) == ("blurry, text", "dpm++-karras", 7.5)
    assert (found.seed, found.steps, found.width, found.height) == (1234567890, 20, 512, 768)
    assert (found.model, found.revision) == ("v1-5-pruned", "6ce0161689")


def test_comfyui_with_a_lora_and_a_seed_from_another_node() -> None:
    found = gpugen.recipe(png(prompt=json.dumps(COMFY)))
    assert (found.prompt, found.negative_prompt, found.model) == ("a red cat", "blurry", "sd_xl_base_1.0")
    assert (found.seed, found.steps, found.guidance, found.scheduler) == (5, 30, 6.0, "euler-a")
    assert (found.width, found.height) == (1024, 832)
    linked = json.loads(json.dumps(COMFY))
    linked["3"]["inputs"]["seed"] = ["11", 0]
    linked["11"] = {"class_type": "PrimitiveInt", "inputs": {"value": 77}}
    assert gpugen.recipe(png(prompt=json.dumps(linked))).seed == 77


def test_invokeai_new_and_old() -> None:
    found = gpugen.recipe(png(invokeai_metadata=json.dumps(INVOKE)))
    assert (found.prompt, found.model, found.scheduler, found.seed) == (
        "a red cat",
        "Juggernaut",
        "dpm++-karras",
        9,
    )
    old = {
        "model_weights": "stable-diffusion-1.4",
        "image": {
            "prompt": [{"prompt": "a cat", "weight": 1}],
            "steps": 50,
            "cfg_scale": 7.5,
            "sampler": "k_euler_a",
            "seed": 3,
            "width": 512,
            "height": 512,
        },
    }
    found = gpugen.recipe(png(sd_metadata=json.dumps(old)))
    assert (found.prompt, found.scheduler, found.model) == ("a cat", "euler-a", "stable-diffusion-1.4")


def test_what_gpugen_writes_for_others_it_can_read_itself() -> None:
    recipe = gpugen.recipe(png(parameters=A1111))
    again = gpugen.recipe(png(parameters=recipe.parameters()))
    assert (again.prompt, again.seed, again.steps, again.width) == (
        recipe.prompt,
        recipe.seed,
        recipe.steps,
        recipe.width,
    )


@pytest.mark.parametrize(
    "chunks",
    [
        {},
        {"parameters": "a photo"},
        {"parameters": "a cat\nSteps: 20, Seed: 7"},
        {"prompt": "{}"},
        {"prompt": '{"3": {"inputs": {"steps": 1, "cfg": 1, "positive": ["3", 0], "latent_image": 5}}}'},
        {"invokeai_metadata": "[]"},
    ],
)
def test_a_file_without_a_whole_recipe_is_refused_in_words(chunks: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="holds no recipe"):
        gpugen.recipe(png(**chunks))


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        gpugen.recipe(tmp_path / "nothing.png")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.sampled_from(["parameters", "prompt", "invokeai_metadata", "sd-metadata"]), st.text() | _JSON)
def test_no_text_makes_it_fall_over(key: str, value: Any) -> None:
    foreign_recipes.read({key: value if isinstance(value, str) else json.dumps(value)})
