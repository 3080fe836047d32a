"""A duty is what one of several servers does for all: it holds it for a while, and renews or loses it."""

from __future__ import annotations

import secrets

from gpugen_server.database import Store


class Duty:
    """This server's part in the duty `name`.

    Args:
        seconds: after which another server takes over from one that fell silent.
    """

    def __init__(self, name: str, seconds: float = 20.0) -> None:
        self._name = name
        self._seconds = seconds
        self._holder = secrets.token_hex(8)

    def take(self, store: Store) -> bool:
        """Whether it is this server's to do now; renewed once half of its time is over."""
        until = store.now + self._seconds
        held = store.row("SELECT holder, until FROM duties WHERE name = ?", self._name)
        if held is not None and held[0] == self._holder and held[1] > store.now + self._seconds / 2:
            return True
        return bool(
            store.change(
                "INSERT INTO duties (name, holder, until) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until"
                " WHERE duties.holder = excluded.holder OR duties.until < ?",
                self._name,
                self._holder,
                until,
                store.now,
            )
        )

    def seize(self, store: Store) -> None:
        """Take it whoever holds it: for who knows that the holder was itself in a former life."""
        store.change("DELETE FROM duties WHERE name = ?", self._name)
        self.take(store)

    def hand_on(self, store: Store) -> None:
        """Let another server take over at once."""
        store.change("DELETE FROM duties WHERE name = ? AND holder = ?", self._name, self._holder)


def held(store: Store, name: str) -> bool:
    """Whether some server is alive that does the duty `name`."""
    return bool(
        store.value("SELECT EXISTS (SELECT 1 FROM duties WHERE name = ? AND until > ?)", name, store.now)
    )
