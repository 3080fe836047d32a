"""`--grid KEY=V1,V2`: the values to try, and all their combinations."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from IPython.core.error import UsageError
from msgspec import Struct

from gpugen.prompt import look_up
from gpugen.size import parse_size
from gpugen_protocol.errors import InvalidRequest

MAX_IMAGES = 1000

Values = dict[str, Any]


class Axis(Struct, frozen=True):
    """One key and the values to try; a key that is no option fills `{{key}}` in the prompt."""

    key: str
    values: tuple[Any, ...]


def parse_axis(text: str, names: Mapping[str, Any]) -> Axis:
    """The axis that `KEY=V1,V2`, `KEY=["a", "b"]` or `KEY={{variable}}` describes.

    Raises:
        UsageError: there is no key or no value, or a value does not fit the key.
    """
    key, equals, values = text.partition("=")
    key = key.strip().removeprefix("--")
    if not (equals and key.isidentifier()):
        raise UsageError(f"--grid {text!r} is not KEY=V1,V2, such as steps=10,20.")
    found = tuple(_converted(key, value) for value in _values(key, values.strip(), names))
    if not found:
        raise UsageError(f"--grid {key} has no values. Write {key}=V1,V2.")
    return Axis(key, found)


def combinations(axes: Iterable[Axis]) -> Iterator[Values]:
    """Every combination, the last axis changing fastest."""
    axes = tuple(axes)
    for values in itertools.product(*(axis.values for axis in axes)):
        yield {axis.key: value for axis, value in zip(axes, values, strict=True)}


def label(value: Any) -> str:
    """A value as it stands in a label: `3`, `2.5`, `512x256`."""
    if isinstance(value, float):
        return f"{value:g}"
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _values(key: str, text: str, names: Mapping[str, Any]) -> list[Any]:
    if text.startswith("{{") and text.endswith("}}"):
        return _listed(key, look_up(text[2:-2].strip(), names))
    if not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return _listed(key, json.loads(text))
    except ValueError:
        raise UsageError(
            f'--grid {key}: {text} is not a JSON list, such as ["a cat", "a dog"]. '
            "Put the whole of it in single quotes."
        ) from None


def _listed(key: str, value: Any) -> list[Any]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise UsageError(f"--grid {key} needs a list, not a {type(value).__name__}.")
    return list(value)


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, str):
        return parse_size(value)
    width, height = value
    return int(width), int(height)


def _whole(value: Any) -> int:
    if float(value) != int(value):
        raise ValueError
    return int(value)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "steps": _whole,
    "seed": _whole,
    "guidance": float,
    "strength": float,
    "size": _size,
}


def _converted(key: str, value: Any) -> Any:
    try:
        return _CONVERTERS.get(key, str)(value)
    except (ValueError, TypeError, InvalidRequest):
        raise UsageError(f"--grid {key}: {value!r} is not a {key}.") from None
