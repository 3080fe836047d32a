import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpugen_protocol import wire
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.request import MAX_SEED, GroupName, InputId, ModelName, ResolvedRequest, TaskRequest
from gpugen_protocol.tokens import UserName


def ask(**fields):
    return wire.decode(wire.encode({"prompt": "a cat", **fields}), TaskRequest)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("prompt", ["a", "x" * 4000, " a "], ["", "   ", "\n", "x" * 4001, 1, None]),
        ("negative_prompt", ["", "x" * 4000], ["x" * 4001]),
        ("width", [8, 2048, 136], [0, 7, 2056, 100, -8, 64.5, "64", True]),
        ("height", [8, 2048], [12, 4096]),
        ("steps", [1, 150], [0, 151]),
        ("guidance", [0, 30, 7.5], [-0.1, 30.1, "7"]),
        ("seed", [0, MAX_SEED, None], [-1, MAX_SEED + 1, 1.5]),
        ("n", [1, 16], [0, 17]),
        ("scheduler", ["ddim"], ["fastest"]),
        ("priority", [-100, 100], [-101, 101]),
        ("group", ["grid-1", "a:b.c"], ["", "a b", "/x", "x" * 65]),
        ("model", ["emoji", "sd3.5"], ["", "../x", "a/b", "x" * 65]),
    ],
)
def test_every_field_has_its_bounds(field, good, bad):
    for value in good:
        assert getattr(ask(**{field: value}), field) == value
    for value in bad:
        with pytest.raises(InvalidRequest) as refused:
            ask(**{field: value})
        assert refused.value.errors[0].path == field, value


def test_a_field_that_nobody_knows_is_refused_by_name():
    with pytest.raises(InvalidRequest, match="colour: is not a known field") as refused:
        ask(colour="red")
    assert refused.value.errors[0].path == "colour"


def test_the_last_image_needs_a_seed_too():
    ask(seed=MAX_SEED - 3, n=4)
    with pytest.raises(InvalidRequest, match=r"seed \+ n|Seed \+ n"):
        ask(seed=MAX_SEED - 2, n=4)


def test_image_k_has_seed_plus_k_and_the_cost_counts_every_pixel_step():
    request = ResolvedRequest(
        prompt="a", model="m", width=64, height=32, steps=10, guidance=1.0, seed=7, n=3, scheduler="ddim"
    )
    assert list(request.seeds) == [7, 8, 9]
    assert request.cost == 64 * 32 * 10 * 3


@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_a_request_or_a_refusal(data):
    try:
        assert isinstance(wire.decode(data, TaskRequest), TaskRequest)
    except InvalidRequest as refused:
        assert refused.message


@given(
    st.builds(
        TaskRequest,
        prompt=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50).filter(str.strip),
        n=st.integers(1, 16),
        seed=st.none() | st.integers(0, MAX_SEED - 16),
        width=st.none() | st.sampled_from([8, 64, 2048]),
    )
)
def test_what_was_sent_is_what_arrives(request):
    assert wire.decode(wire.encode(request), TaskRequest) == request


@pytest.mark.parametrize(
    ("kind", "value"),
    [(ModelName, "emoji"), (GroupName, "g:1"), (InputId, "0" * 26), (UserName, "ann@example.org")],
)
def test_a_name_does_not_end_in_a_line_feed(kind, value):
    assert wire.convert(value, kind) == value
    with pytest.raises(InvalidRequest):
        wire.convert(f"{value}\n", kind)
