"""A transaction on the driver's own connection: through peewee each statement costs twice as much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import peewee

from gpugen_server.database.engine import Engine, NotBegun
from gpugen_server.database.store import Store
from gpugen_server.events.entry import Entry

P = ParamSpec("P")
T = TypeVar("T")


def transact(
    engine: Engine,
    begin: Callable[[], Store],
    function: Callable[Concatenate[Store, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> tuple[T, list[Entry]]:
    """What `function(store, ...)` gives in a transaction of its own, and what that has to tell.

    `begin` is the engine's, of one kind or the other.
    An error that leaves the function undoes all of it. The driver's errors are translated once, here.

    Raises:
        NotBegun: nothing of it was done.
        peewee.PeeweeException: the database's complaint.
    """
    store = _begun(engine, begin)
    try:
        result = function(store, *args, **kw)
        store.commit()
    except engine.errors as error:
        never_began = store.never_began
        _roll_back(engine, store)
        if never_began:
            raise NotBegun from _translated(error)
        raise _translated(error) from error
    except BaseException:
        _roll_back(engine, store)
        raise
    return result, store.outbox


def _begun(engine: Engine, begin: Callable[[], Store]) -> Store:
    try:
        return begin()
    except peewee.PeeweeException as error:
        raise NotBegun from error
    except engine.errors as error:
        raise NotBegun from _translated(error)


def _roll_back(engine: Engine, store: Store) -> None:
    try:
        store.roll_back()
    except engine.errors as error:
        raise _translated(error) from error  # the true one is in its context


def _translated(error: Exception) -> peewee.PeeweeException:
    """The same error of peewee's, which is what everything above knows; this one stays its cause."""
    names = (kind.__name__ for kind in type(error).__mro__)
    kind = next((getattr(peewee, name) for name in names if hasattr(peewee, name)), peewee.DatabaseError)
    translated: peewee.PeeweeException = kind(str(error))
    translated.__cause__ = translated.__context__ = error
    return translated
