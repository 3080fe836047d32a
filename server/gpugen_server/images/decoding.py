"""What is asked of a decoder, what it answers, and how both travel through a pipe."""

from __future__ import annotations

from typing import IO, Any

import msgspec
from msgspec import Struct

from gpugen_protocol.recipe import Recipe

_LENGTH = 4  # bytes before every message, which say how long it is


class Encode(Struct, frozen=True, tag=True):
    """Make `data` a PNG that carries its recipe."""

    data: bytes
    recipe: Recipe


class Clean(Struct, frozen=True, tag=True):
    """Make `data` a PNG that carries nothing; sides of at most `longest` pixels."""

    data: bytes
    longest: int


class Thumbnail(Struct, frozen=True, tag=True):
    """Make the PNG `data` a smaller one, the longer side at most `side` pixels."""

    data: bytes
    side: int


Job = Encode | Clean | Thumbnail


class Answer(Struct, frozen=True):
    """The result as MessagePack, or why the image was refused."""

    result: bytes = b""
    refusal: str = ""


def send(stream: IO[bytes], message: Job | Answer) -> None:
    """Write `message` to a pipe."""
    body = msgspec.msgpack.encode(message)
    stream.write(len(body).to_bytes(_LENGTH))
    stream.write(body)
    stream.flush()


def receive(stream: IO[bytes], kind: Any, most: int) -> Any:
    """The next message from a pipe; None at its end.

    Raises:
        ValueError: it is longer than `most` bytes, or no `kind`.
    """
    length = int.from_bytes(stream.read(_LENGTH))
    if length > most:
        raise ValueError(f"a message of {length} bytes")
    body = stream.read(length)
    return msgspec.msgpack.decode(body, type=kind) if length and len(body) == length else None
