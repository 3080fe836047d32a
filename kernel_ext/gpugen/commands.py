"""Which lines after `%gpugen` are sub-commands, and which are prompts."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from IPython.core.error import UsageError
from msgspec import Struct

from gpugen.options import build_parser

_GROUP = re.compile(r"grid-[0-9a-f]{16}")
_LIKE_AN_ID = re.compile(r"01[0-9a-z]+", re.IGNORECASE)  # as the ids of this decade begin
_ADDRESS = re.compile(r"https?://|.*:\d", re.IGNORECASE)
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}", re.IGNORECASE)
OF_A_TASK = ("wait", "attach", "show", "status", "cancel", "retry", "logs")
ALONE = ("queue", "history", "models", "workers", "help")
NAMES = (*OF_A_TASK, *ALONE, "replay", "connect")


class Command(Struct, frozen=True):
    """A sub-command: its name, the id, file or address it is about, and what else was given."""

    name: str
    about: str | None = None
    extra: str | None = None


def match(line: str) -> Command | None:
    """The sub-command that `line` is; None if it is a prompt, as `show me a castle` is.

    Raises:
        UsageError: it can be no prompt, but takes options or an address as no sub-command does.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if not words or words[0].lower() not in NAMES:
        return None
    name, rest = words[0].lower(), words[1:]
    if _only_options(rest):
        raise UsageError(
            f"%gpugen {name} takes no options, such as {rest[0]}. "
            f"`%gpugen {shlex.join(rest)} -- {name}` draws an image of {name!r}."
        )
    if name in ALONE:
        return None if rest else Command(name)
    if name in OF_A_TASK:
        return _of_a_task(name, rest)
    return _replay(rest) if name == "replay" else _connect(rest)


def is_id(text: str) -> bool:
    """Whether it looks like the id of a task."""
    return _ID.fullmatch(text) is not None


def is_group(text: str) -> bool:
    """Whether it looks like the name of a grid's group."""
    return _GROUP.fullmatch(text) is not None


def _of_a_task(name: str, rest: list[str]) -> Command | None:
    if not rest:
        return Command(name)
    fits = len(rest) == 1 and (_LIKE_AN_ID.fullmatch(rest[0]) or is_id(rest[0]) or is_group(rest[0]))
    return Command(name, rest[0].lower()) if fits else None


def _replay(rest: list[str]) -> Command | None:
    """`FILE|ID [-m MODEL]`."""
    model = rest[2] if len(rest) == 3 and rest[1] in {"-m", "--model"} else None
    if len(rest) != (1 if model is None else 3):
        return None
    if is_id(rest[0]):
        return Command("replay", rest[0].lower(), model)
    if model is None and _LIKE_AN_ID.fullmatch(rest[0]):
        return Command("replay", rest[0].lower())
    is_file = rest[0].lower().endswith(".png") or Path(rest[0]).expanduser().is_file()
    return Command("replay", rest[0], model) if is_file else None


def _connect(rest: list[str]) -> Command | None:
    """`[URL [TOKEN_FILE]]`."""
    if not rest:
        return Command("connect")
    if len(rest) > 2 or (len(rest) == 2 and not _ADDRESS.match(rest[0])):
        return None
    if not rest[0].startswith(("http://", "https://")):
        raise UsageError(f"{rest[0]!r} is not the address of a server. Write http://host:port.")
    return Command("connect", *rest)


def _only_options(rest: list[str]) -> bool:
    """Whether there is something, but no word of a prompt; `--help` is asked of the magic itself."""
    if not rest or not rest[0].startswith("-") or {"--", "-h", "--help"} & set(rest):
        return False
    try:
        typed, _ = build_parser().parse_known_intermixed_args(rest)
    except UsageError:  # half an option; the prompt's parser says which
        return False
    return not typed.prompt
