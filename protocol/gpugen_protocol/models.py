"""The model registry: what a model name stands for, and what a request that names it defaults to.

The registry is a TOML text with one table a model. `models.toml` beside this file is shipped; later texts
(the user's own files) add entries or override single fields of an entry.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gpugen_protocol.errors import (
    FieldError,
    InvalidRequest,
    Misconfigured,
    NotSupported,
    TooCostly,
    UnknownModel,
)
from gpugen_protocol.request import (
    MAX_COST,
    Guidance,
    ModelName,
    ResolvedRequest,
    SchedulerName,
    Side,
    Steps,
    TaskRequest,
)

DEFAULT_MODEL = "emoji"

Family = Literal["sd", "sdxl", "sd3", "flux", "qwen-image", "z-image"]


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry. Exactly one of `bundled`, `path` and `repository` says where the weights are.

    Attributes:
        family: which architecture; decides preview factors and what a request may ask for.
        bundled: the folder of that name shipped inside the worker.
        path: a folder in diffusers' layout on the worker's machine.
        repository: a Hub repository; `revision` pins its commit.
        variant: the weight files' variant, such as `fp16`.
        gated: whether the Hub asks for a login and an accepted licence.
        size_multiple: width and height must be multiples of it, in pixels.
        native_side: of the square, in pixels, that it always draws: pictures of other sizes are scaled from
            it. 0: it draws the size that is asked for.
        max_prompt_tokens: what the text encoder reads; the rest of a prompt is cut. 0: not known.
        negative: whether a negative prompt has an effect.
        img2img: whether it can start from an image.
        inpaint: whether it can draw a masked part of an image anew.
        tiny_autoencoder: a Hub repository, or a folder on the worker, with diffusers' AutoencoderTiny for
            the model's latents: sharper previews. Empty: a linear fit of the model's own autoencoder.
        memory_bytes: what the pipeline needs on a GPU at its default size; 0: not known.
        memory_per_pixel: bytes that every pixel beyond the default size needs; 0: not known.
        words: all the things it can draw, by their usual names; empty: anything.
    """

    name: ModelName
    title: str = ""
    family: Family
    bundled: str = ""
    path: str = ""
    repository: str = ""
    revision: str = ""
    variant: str = ""
    gated: bool = False
    licence: str
    licence_url: str = ""
    width: Side
    height: Side
    steps: Steps
    guidance: Guidance
    scheduler: SchedulerName
    schedulers: tuple[SchedulerName, ...]
    size_multiple: Annotated[int, Meta(ge=8, multiple_of=8)] = 8
    native_side: Annotated[int, Meta(ge=0, multiple_of=8)] = 0
    max_prompt_tokens: int = 77
    negative: bool = True
    img2img: bool = True
    inpaint: bool = True
    tiny_autoencoder: str = ""
    memory_bytes: int = 0
    memory_per_pixel: int = 0
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if sum(map(bool, (self.bundled, self.path, self.repository))) != 1:
            raise ValueError("exactly one of bundled, path and repository must be given")
        if self.scheduler not in self.schedulers:
            raise ValueError("scheduler must be one of schedulers")

    def memory_for(self, request: ResolvedRequest) -> int:
        """Bytes of a GPU's memory that `request` needs, images drawn one at a time; 0: not known."""
        if not self.memory_bytes:
            return 0
        beyond = request.width * request.height - self.width * self.height
        return self.memory_bytes + self.memory_per_pixel * max(0, beyond)

    @property
    def source(self) -> str:
        """Where the weights come from, for a person to read."""
        if self.repository:
            return f"{self.repository}@{self.revision}" if self.revision else self.repository
        return self.path or f"bundled with gpugen ({self.bundled})"


class ModelList(Struct, frozen=True, kw_only=True):
    """The answer to `GET /models`."""

    models: tuple[Model, ...]
    default: str


class Registry:
    """All known models by name."""

    def __init__(self, models: Iterable[Model], default: str = DEFAULT_MODEL) -> None:
        self.models = {model.name: model for model in models}
        self.default = default

    def get(self, name: str | None) -> Model:
        """The model called `name`; the default one for None.

        Raises:
            UnknownModel: there is none; the hint names the nearest.
        """
        model = self.models.get(name or self.default)
        if model is None:
            near = difflib.get_close_matches(str(name), self.models, n=3, cutoff=0.5)
            guess = f"Did you mean {' or '.join(near)}? " if near else ""
            raise UnknownModel(
                f"There is no model {name!r}.",
                hint=f"{guess}`gpugen models` lists them all.",
                errors=(FieldError("model", "is not in the registry"),),
            )
        return model

    def resolve(self, request: TaskRequest, seed: int) -> ResolvedRequest:
        """`request` with every blank filled from its model; `seed` is used where none was asked for.

        Raises:
            UnknownModel, NotSupported, TooCostly: the request cannot be served.
        """
        model = self.get(request.model)
        resolved = ResolvedRequest(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            model=model.name,
            width=request.width or model.width,
            height=request.height or model.height,
            steps=request.steps or model.steps,
            guidance=model.guidance if request.guidance is None else request.guidance,
            seed=seed if request.seed is None else request.seed,
            n=request.n,
            scheduler=request.scheduler or model.scheduler,
            init_image=request.init_image,
            mask_image=request.mask_image,
            strength=_strength(request),
        )
        _check_served(resolved, model)
        return resolved


def _strength(request: TaskRequest) -> float | None:
    if request.init_image is None or request.strength is not None:
        return request.strength
    return 1.0 if request.mask_image else 0.6


def _check_served(request: ResolvedRequest, model: Model) -> None:
    for side in ("width", "height"):
        _check_multiple(side, getattr(request, side), model)
    if request.scheduler not in model.schedulers:
        raise NotSupported(
            f"{model.name} cannot use the scheduler {request.scheduler}.",
            hint=f"It knows {', '.join(model.schedulers)}.",
            errors=(FieldError("scheduler", "is not supported by this model"),),
        )
    _check_start(request, model)
    if request.cost > MAX_COST:
        raise TooCostly(
            f"width * height * steps * n is {request.cost:,}, more than the {MAX_COST:,} one task may have.",
            hint="Ask for fewer images, fewer steps or a smaller size.",
        )


def _check_start(request: ResolvedRequest, model: Model) -> None:
    if (request.init_image and not model.img2img) or (request.mask_image and not model.inpaint):
        field = "init_image" if not model.img2img else "mask_image"
        what = "start from an image" if not model.img2img else "draw a part of an image anew"
        raise NotSupported(
            f"{model.name} cannot {what}.",
            hint="Choose another model, or leave the image out.",
            errors=(FieldError(field, "is not supported by this model"),),
        )
    if request.drawn_steps < 1:
        raise InvalidRequest(
            f"{request.steps} steps at strength {request.strength:g} leave no step to draw.",
            hint="Ask for more steps, or a higher strength.",
            errors=(FieldError("strength", "leaves no step to draw"),),
        )


def _check_multiple(side: str, value: int, model: Model) -> None:
    step = model.size_multiple
    if value % step:
        lower = max(step, value // step * step)
        raise InvalidRequest(
            f"{model.name} draws sizes that are multiples of {step} pixels; {side} {value} is not.",
            hint=f"Try {lower} or {lower + step}.",
            errors=(FieldError(side, f"must be a multiple of {step}"),),
        )


def shipped_registry_text() -> str:
    """The registry that comes with gpugen."""
    return files("gpugen_protocol").joinpath("models.toml").read_text(encoding="utf-8")


def parse_registry(texts: Mapping[str, str]) -> Registry:
    """The registry of the shipped text and, over it, `texts` (TOML by the name of its file), in order.

    Raises:
        Misconfigured: a text is no TOML or an entry does not fit; the sentence names file and entry.
    """
    tables: dict[str, dict[str, Any]] = {}
    default = DEFAULT_MODEL
    for origin, text in {"the shipped models.toml": shipped_registry_text(), **texts}.items():
        document = _parse_toml(origin, text)
        default = document.get("default_model", default)
        for name, table in document.get("models", {}).items():
            tables[name] = {**_base(tables.get(name, {}), table), **table, "name": name}
    registry = Registry((_entry(name, table) for name, table in tables.items()), default)
    if default not in registry.models:
        raise Misconfigured(f"default_model is {default!r}, which is not in the registry.")
    return registry


def _base(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old entry without its place, when the new one moves the model to another place."""
    places = {"bundled", "path", "repository"}
    if places & new.keys():
        gone = {*places, "revision", "tiny_autoencoder"}
        return {key: value for key, value in old.items() if key not in gone}
    return old


def _parse_toml(origin: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{origin} is not valid TOML: {error}.") from None


def _entry(name: str, table: dict[str, Any]) -> Model:
    try:
        return msgspec.convert(table, Model)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"The model entry {name!r} is not valid: {error}.") from None
