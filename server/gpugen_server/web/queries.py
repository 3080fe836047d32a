"""The query strings that addresses understand, as checked types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gpugen_protocol.request import GroupName, ModelName

Number = Annotated[int, Meta(ge=0, le=2**53)]


class TaskQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks to list; `state` may name several, with commas."""

    state: str | None = None
    group: GroupName | None = None
    model: ModelName | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class EventQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events after which number, and how many at most."""

    after: Number = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000


class ImageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The longer side of the thumbnail, in pixels; without it the image itself."""

    thumbnail: Literal[64, 128, 256, 512] | None = None


class SocketQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to follow from the start, from which number on."""

    task: str | None = None
    after: Number = 0


class NoQuery(Struct, frozen=True):
    """An address without parameters."""
