"""Sizes as people write them: `512x512`."""

from __future__ import annotations

import re

from gpugen_protocol.errors import FieldError, InvalidRequest

_FORM = re.compile(r"\s*(\d{1,5})\s*[xX×*]\s*(\d{1,5})\s*")


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        InvalidRequest: `text` is not two numbers with an x between.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidRequest(
            f"{text!r} is not a size.",
            hint="Write WIDTHxHEIGHT in pixels, such as 512x512.",
            errors=(FieldError("size", "must be WIDTHxHEIGHT"),),
        )
    return int(found[1]), int(found[2])
