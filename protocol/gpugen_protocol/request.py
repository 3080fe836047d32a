"""What a user asks for: as it is sent (`TaskRequest`), and with every blank filled in (`ResolvedRequest`)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_SEED = 2**53 - 1  # JavaScript rounds integers beyond it
MAX_COST = 2**31  # pixel steps: 1024 x 1024 px, 128 steps, 16 images
SIZE_MULTIPLE = 8

Prompt = Annotated[
    str, Meta(min_length=1, max_length=4000, pattern=r"\S", description="What the image shows.")
]
NegativePrompt = Annotated[str, Meta(max_length=4000, description="What the image must not show.")]
# In Python `$` is also the place before a last line feed, hence `(?!\n)`; elsewhere that changes nothing.
ModelName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?!\n)$")]
Side = Annotated[int, Meta(ge=SIZE_MULTIPLE, le=2048, multiple_of=SIZE_MULTIPLE, description="Pixels.")]
Steps = Annotated[int, Meta(ge=1, le=150, description="Denoising steps.")]
Guidance = Annotated[float, Meta(ge=0, le=30, description="Classifier-free guidance scale.")]
Seed = Annotated[int, Meta(ge=0, le=MAX_SEED, description="Image k starts from the noise of seed + k.")]
Count = Annotated[int, Meta(ge=1, le=16, description="How many images.")]
Priority = Annotated[int, Meta(ge=-100, le=100, description="Higher goes first.")]
InputId = Annotated[
    str, Meta(pattern=r"^[0-9a-hjkmnp-tv-z]{26}(?!\n)$", description="An image sent to /inputs before.")
]
Strength = Annotated[
    float, Meta(gt=0, le=1, description="How much of the starting image is drawn anew: 1 is all of it.")
]
GroupName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}(?!\n)$")]
SchedulerName = Literal[
    "ddim", "dpm++", "dpm++-karras", "euler", "euler-a", "flow-euler", "heun", "lcm", "pndm", "unipc"
]


class TaskRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A submit. Only `prompt` is needed; what is left out is taken from the model's defaults."""

    prompt: Prompt
    negative_prompt: NegativePrompt = ""
    model: ModelName | None = None
    width: Side | None = None
    height: Side | None = None
    steps: Steps | None = None
    guidance: Guidance | None = None
    seed: Seed | None = None
    n: Count = 1
    scheduler: SchedulerName | None = None
    priority: Priority | None = None
    group: GroupName | None = None
    init_image: InputId | None = None
    mask_image: InputId | None = None
    strength: Strength | None = None

    def __post_init__(self) -> None:
        _check_last_seed(self.seed, self.n)
        _check_start(self)


class ResolvedRequest(Struct, frozen=True, kw_only=True):
    """A request in which everything is decided: the same one gives the same images."""

    prompt: Prompt
    negative_prompt: NegativePrompt = ""
    model: ModelName
    width: Side
    height: Side
    steps: Steps
    guidance: Guidance
    seed: Seed
    n: Count
    scheduler: SchedulerName
    init_image: InputId | None = None
    mask_image: InputId | None = None
    strength: Strength | None = None

    def __post_init__(self) -> None:
        _check_last_seed(self.seed, self.n)
        _check_start(self)

    @property
    def cost(self) -> int:
        """The work it asks for, in pixel steps: width * height * steps * n."""
        return self.width * self.height * self.steps * self.n

    @property
    def inputs(self) -> tuple[str, ...]:
        """The ids of the images it starts from: none, the image, or the image and its mask."""
        return tuple(filter(None, (self.init_image, self.mask_image)))

    @property
    def drawn_steps(self) -> int:
        """The steps that are taken: an image to start from stands for the first of them."""
        return self.steps if self.strength is None else int(self.steps * self.strength)

    @property
    def seeds(self) -> range:
        """The seed of every image, in order."""
        return range(self.seed, self.seed + self.n)


def _check_last_seed(seed: int | None, n: int) -> None:
    if seed is not None and seed + n - 1 > MAX_SEED:
        raise ValueError(f"seed + n - 1 must not exceed {MAX_SEED}")


def _check_start(request: TaskRequest | ResolvedRequest) -> None:
    if request.init_image is None and (request.mask_image or request.strength) is not None:
        raise ValueError("mask_image and strength need an init_image")
