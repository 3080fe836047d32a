"""The names of images in a store. They come from ids of ours alone, never from outside."""

from __future__ import annotations

import re
import secrets

_NAME = re.compile(r"[0-9a-z]{5}/[0-9a-z]{26}-\d{1,2}-\d{1,6}-[0-9a-f]{8}\.png")
FOLDER = 5  # characters of a task's id that name its folder


def fresh(task: str, index: int, attempt: int) -> str:
    """A name that nothing else has."""
    return checked(f"{task[:FOLDER]}/{task}-{index}-{attempt}-{secrets.token_hex(4)}.png")


def checked(name: str) -> str:
    """`name` itself, if it is one."""
    assert is_name(name), name
    return name


def is_name(text: str) -> bool:
    """Whether `text` is the name of an image."""
    return _NAME.fullmatch(text) is not None
