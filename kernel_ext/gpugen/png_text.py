"""The text chunks of a PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def texts(png: bytes) -> dict[str, str]:
    """The text chunks (tEXt, zTXt, iTXt) of `png` by keyword; a broken file gives those before the break."""
    found = {}
    for kind, data in _chunks(png):
        reader = {b"tEXt": _latin, b"zTXt": _compressed, b"iTXt": _international}.get(kind)
        if reader is not None:
            keyword, _, rest = data.partition(b"\0")
            found[keyword.decode("latin-1")] = reader(rest)
    return found


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(_SIGNATURE):
        return
    at = len(_SIGNATURE)
    while at + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def _latin(rest: bytes) -> str:
    return rest.decode("latin-1")


def _compressed(rest: bytes) -> str:
    return _inflate(rest[1:]).decode("latin-1")


def _international(rest: bytes) -> str:
    """Flag and method of compression, language, translated keyword, then the text in UTF-8."""
    compressed = rest[:1] == b"\1"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    return (_inflate(text) if compressed else text).decode("utf-8", "replace")


def _inflate(data: bytes, limit: int = 1 << 20) -> bytes:
    """At most `limit` bytes: a small file must not blow up; what is no zlib stream is empty."""
    try:
        return zlib.decompressobj().decompress(data, limit)
    except zlib.error:
        return b""
