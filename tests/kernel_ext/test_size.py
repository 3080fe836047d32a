from __future__ import annotations

import pytest

from gpugen.size import parse_size
from gpugen_protocol.errors import InvalidRequest


@pytest.mark.parametrize("text", ["512x256", "512X256", "512×256", " 512 x 256 ", "512*256"])
def test_a_size_is_two_numbers_with_an_x_between(text: str) -> None:
    assert parse_size(text) == (512, 256)


@pytest.mark.parametrize("text", ["", "512", "512x", "x512", "512x256x3", "-8x8", "1.5x2", "ax8", "123456x8"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match="512x512"):
        parse_size(text)
