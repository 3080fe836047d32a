"""These types to JSON and back; what does not fit becomes an `InvalidRequest` that names the field."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from gpugen_protocol.errors import FieldError, InvalidRequest

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"`(?P<name>[^`]+)`")


def encode(value: Any) -> bytes:
    """`value` as JSON.

    Raises:
        InvalidRequest: a text is not valid Unicode, as an argument in another encoding is not.
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        raise InvalidRequest(
            "A text is not valid Unicode.", hint="Is the terminal's encoding UTF-8?"
        ) from None


def decode(body: bytes | str, kind: type[T]) -> T:
    """JSON as a checked value of type `kind` (a struct or a union of structs).

    Raises:
        InvalidRequest: the body is no JSON, a field is missing, unknown or out of its bounds.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None


def convert(values: Any, kind: type[T]) -> T:
    """Plain dicts and lists as a checked value of type `kind`; for arguments that never were JSON.

    Raises:
        InvalidRequest: as `decode`.
    """
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None


def plain(value: Any) -> Any:
    """`value` as plain dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value)


def invalid(complaint: str) -> InvalidRequest:
    """msgspec's complaint in our words, with the path of the field it is about."""
    found = _AT.match(complaint)
    assert found is not None
    what, path = found["what"], found["path"] or ""
    if "unknown field" in what or "missing required field" in what:
        name = _FIELD.search(what)
        path = ".".join(part for part in (path, name["name"] if name else "") if part)
    message = _in_words(what)
    sentence = f"{path}: {message}." if path else f"{message[:1].upper()}{message[1:]}."
    return InvalidRequest(sentence, errors=(FieldError(path, message),))


_WORDS = (
    (re.compile(r"Expected `int` that's a multiple of (\d+)"), r"must be a multiple of \1"),
    (re.compile(r"Expected `(?:int|float)` (<=|>=|<|>) (\S+)"), r"must be \1 \2"),
    (re.compile(r"Expected `str` matching regex '\\\\S'"), "must not be empty"),
    (re.compile(r"Expected `str` of length >= 1$"), "must not be empty"),
    (re.compile(r"Expected `str` of length <= (\d+)"), r"must have at most \1 characters"),
    (re.compile(r"Expected `array` of length <= (\d+)"), r"must have at most \1 entries"),
    (re.compile(r"Object contains unknown field .*"), "is not a known field"),
    (re.compile(r"Object missing required field .*"), "is needed"),
    (re.compile(r"Invalid enum value (.+)"), r"there is no \1"),
    (re.compile(r"Expected `([^`]+)`, got `([^`]+)`"), r"must be \1, not \2"),
)


def _in_words(what: str) -> str:
    for pattern, words in _WORDS:
        if pattern.search(what):
            return pattern.sub(words, what)
    return what
