"""A transaction on the driver's own connection: through peewee each statement costs twice as much."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import peewee

from gpugen_server.database.engine import NotBegun
from gpugen_server.database.store import Store


class Transaction:
    """Commits at its end, unless an error leaves it. The driver's errors are translated once, here.

    Args:
        begin: connects where there is no connection yet, and begins.
        driver: what all errors of the driver are.
    """

    def __init__(self, begin: Callable[[], Store], driver: type[Exception]) -> None:
        self._begin = begin
        self._driver = driver

    def __enter__(self) -> Store:
        try:
            self._store = self._begin()
        except peewee.PeeweeException as error:
            raise NotBegun from error
        except self._driver as error:
            raise NotBegun from _translated(error)
        return self._store

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            error = self._commit()
        if error is None:
            return
        never_began = self._store.never_began
        self._roll_back()
        if isinstance(error, self._driver):
            if never_began:
                raise NotBegun from _translated(error)
            raise _translated(error)

    def _roll_back(self) -> None:
        try:
            self._store.roll_back()
        except self._driver as error:
            raise _translated(error) from error  # the true one is in its context

    def _commit(self) -> Exception | None:
        try:
            self._store.commit()
        except self._driver as error:
            return error
        return None


def _translated(error: Exception) -> peewee.PeeweeException:
    """The same error of peewee's, which is what everything above knows; this one stays its cause."""
    names = (kind.__name__ for kind in type(error).__mro__)
    kind = next((getattr(peewee, name) for name in names if hasattr(peewee, name)), peewee.DatabaseError)
    translated: peewee.PeeweeException = kind(str(error))
    translated.__cause__ = translated.__context__ = error
    return translated
