"""One entry of the table of routes: an address, who answers there, and what goes in and out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gpugen_protocol.paths import Path
from gpugen_server.web.endpoint import Endpoint


class Page(str):
    """HTML, as the answer of a call."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One method at an address: the types of query, body and answer; None where there is none.

    Attributes:
        also: further statuses of success; 200 has the same content, all others have none.
    """

    query: Any = None
    body: Any = None
    answer: Any = None
    status: int = 200
    also: tuple[int, ...] = ()


@dataclass(frozen=True)
class Route:
    """An address, its handler, and its methods."""

    path: Path
    handler: type[Endpoint]
    calls: dict[str, Call] = field(default_factory=dict)
