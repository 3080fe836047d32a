import pytest

from gpugen_protocol.errors import InvalidRequest, Misconfigured, NotSupported, TooCostly, UnknownModel
from gpugen_protocol.models import parse_registry
from gpugen_protocol.request import TaskRequest

REGISTRY = parse_registry({})


def resolve(**fields):
    return REGISTRY.resolve(TaskRequest(**{"prompt": "a cat", **fields}), 5)


@pytest.mark.parametrize("name", REGISTRY.models)
def test_every_shipped_model_serves_its_own_defaults(name):
    model, request = REGISTRY.get(name), resolve(model=name)
    assert (request.width, request.height, request.steps) == (model.width, model.height, model.steps)
    assert (request.guidance, request.scheduler, request.seed) == (model.guidance, model.scheduler, 5)
    assert model.licence
    assert model.source


def test_what_was_asked_for_wins_over_the_defaults_zero_included():
    request = resolve(width=64, guidance=0, seed=0, steps=3, scheduler="ddim")
    assert (request.width, request.guidance, request.seed, request.steps) == (64, 0, 0, 3)


def test_without_a_name_the_default_model_is_taken():
    assert resolve().model == "emoji"


def test_an_unknown_model_names_its_neighbours():
    with pytest.raises(UnknownModel) as refused:
        resolve(model="sdxll")
    assert "sdxl" in refused.value.hint


def test_a_model_that_is_like_none_is_answered_without_a_guess():
    with pytest.raises(UnknownModel) as refused:
        resolve(model="nosuch")
    assert refused.value.hint == "`gpugen models` lists them all."


def test_a_size_that_the_model_cannot_draw_comes_with_two_that_it_can():
    with pytest.raises(InvalidRequest, match="multiples of 16") as refused:
        resolve(width=72)
    assert refused.value.hint == "Try 64 or 80."


def test_a_scheduler_of_another_model_is_refused_with_its_own():
    with pytest.raises(NotSupported) as refused:
        resolve(scheduler="flow-euler")
    assert "ddim" in refused.value.hint


def test_work_without_end_is_refused():
    with pytest.raises(TooCostly):
        resolve(width=2048, height=2048, steps=150, n=16)


def test_a_users_file_adds_and_changes_single_fields():
    text = """
default_model = "mine"
[models.mine]
family = "sd"
path = "/models/mine"
licence = "MIT"
width = 64
height = 64
steps = 2
guidance = 1.0
scheduler = "ddim"
schedulers = ["ddim"]
[models.emoji]
steps = 3
"""
    registry = parse_registry({"mine.toml": text})
    assert (registry.default, registry.get("mine").source) == ("mine", "/models/mine")
    assert (registry.get("emoji").steps, registry.get("emoji").bundled) == (3, "emoji")


def test_a_model_that_moves_leaves_its_old_place():
    registry = parse_registry({"x": '[models.sd15]\npath = "/models/sd15"'})
    assert (registry.get("sd15").path, registry.get("sd15").repository) == ("/models/sd15", "")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("nonsense", "mine.toml"),
        ('[models.emoji]\ncolour = "red"', "emoji"),
        ("[models.emoji]\nwidth = 7", "emoji"),
        ('[models.emoji]\npath = "/a"\nrepository = "b/c"', "exactly one"),
        ('[models.emoji]\nscheduler = "lcm"', "one of schedulers"),
        ('default_model = "none"', "none"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text, word):
    with pytest.raises(Misconfigured, match=word):
        parse_registry({"mine.toml": text})
