"""A message as the websocket protocol frames it (RFC 6455, section 5.2): built once, sent to every watcher.

Tornado builds a frame and a task for every message and every client, which costs more than all the rest of
telling a thousand watchers. A server's frames are not masked and ours are not compressed, so they are the
same for everybody.
"""

from __future__ import annotations

import struct
from functools import lru_cache

_TEXT = 0x81  # a whole text message in one frame


@lru_cache(maxsize=64)
def text_frame(body: bytes) -> bytes:
    """`body`, JSON in UTF-8, as one frame. Remembered for as long as its watchers are told."""
    size = len(body)
    if size < 126:
        return struct.pack("!BB", _TEXT, size) + body
    if size < 65_536:
        return struct.pack("!BBH", _TEXT, 126, size) + body
    return struct.pack("!BBQ", _TEXT, 127, size) + body
