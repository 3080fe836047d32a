"""What differs between databases: how to connect, begin, and read an error."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

from gpugen_protocol.errors import GpugenError
from gpugen_server.database.store import Store

# What is to be done after an error: nothing was or will be changed by `again`; `reconnect` also needs a new
# connection; `give up` is the caller's to hear of.
Remedy = Literal["again", "reconnect", "give up"]


class NotBegun(Exception):
    """The transaction could not begin, so that nothing of it was done; the cause says why."""


class Engine(Protocol):
    """One kind of database at one address.

    Attributes:
        peewee: peewee's object for it; connections belong to threads.
        threads: how many transactions may run at once.
        types: what the statements of the schema call their types.
        upgrades_itself: whether the server may migrate it without being told: nobody else uses it.
        name: for people, without a password.
        errors: what all errors of the driver are.
        is_local: whether short transactions on it may be so short that the event loop can run them.
    """

    peewee: Any
    threads: int
    types: ClassVar[dict[str, str]]
    upgrades_itself: bool
    name: str
    errors: type[Exception]
    is_local: bool

    def now(self) -> float:
        """The time by the database's clock, in seconds since the epoch."""

    def begin(self) -> Store:
        """A transaction on the calling thread's connection."""

    def begin_at_once(self) -> Store:
        """The same on the event loop's thread, where it `is_local`: it fails rather than wait for anybody."""

    def version(self, store: Store) -> int:
        """The version of the schema; 0 for an empty database."""

    def begin_migration(self, store: Store) -> None:
        """Until this transaction ends, keep other migrations out and let statements take their time."""

    def set_version(self, store: Store, version: int) -> None:
        """Write it down, in the same transaction."""

    def columns(self, store: Store, table: str) -> set[str]:
        """The names of a table's columns; empty if there is no such table."""

    def remedy(self, error: BaseException) -> Remedy:
        """What to do after `error`."""

    def explain(self, error: BaseException) -> GpugenError:
        """The error in our words."""
