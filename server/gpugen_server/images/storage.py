"""What a store of images does. Everything here blocks: call it on a thread."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from gpugen_protocol.worker import Upload

LINK_SECONDS = 300.0  # how long a signed address holds
SETTLED_SECONDS = 3600.0  # after which an image has its row in the database or never gets one


class Slot(NamedTuple):
    """The one image that an attempt may send for image `image` of its task."""

    task: str
    image: int
    attempt: int


class Quarantine(Protocol):
    """Where workers put what nobody has looked at yet."""

    def upload(self, slot: Slot, most: int) -> Upload:
        """How to send at most `most` bytes there, once. Raises Unavailable."""

    def fetch(self, slot: Slot, most: int) -> bytes:
        """What was sent. Raises NotFound, BodyTooLarge, Unavailable."""

    def discard(self, slot: Slot) -> None:
        """Drop it, so that it may be sent anew; does not complain."""


class Storage(Protocol):
    """Keeps images under names of its own making.

    Attributes:
        quarantine: set if workers may send images there by themselves.
    """

    @property
    def quarantine(self) -> Quarantine | None:
        """Where workers put images by themselves; None: they send them to the server."""

    def prepare(self) -> None:
        """Make it ready. Raises Unavailable or Misconfigured if it can never work."""

    def check(self) -> None:
        """Raises Unavailable if nothing can be written."""

    def write(self, task: str, index: int, attempt: int, png: bytes) -> str:
        """Keep `png` for good; gives its name. Raises StorageFull, Unavailable."""

    def read(self, name: str) -> bytes:
        """The bytes kept under `name`. Raises NotFound, Unavailable."""

    def link(self, name: str) -> str | None:
        """An address where whoever has it can read `name` for a few minutes; None: there is none."""

    def remove(self, names: list[str]) -> list[str]:
        """Drop images; does not complain, but gives the names of those that may still be there."""

    def folders(self) -> list[str]:
        """The folders; each holds tasks whose ids begin with its name."""

    def settled(self, folder: str) -> list[str]:
        """The names in `folder` that nobody is still about to make an image of a task."""
