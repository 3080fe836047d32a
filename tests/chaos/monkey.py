"""Does something bad to one process at random instants, and always leaves it running."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable

from tests.chaos.history import History
from tests.chaos.parts import Part, ServerPart
from tests.postgres import Postgres

Deed = Callable[[], None]


class Monkey(threading.Thread):
    """A thread that repeats: wait a random time, do one of its deeds, see that the process runs.

    Args:
        gap: mean seconds between two deeds.
        stopping: the end; a deed that has begun is brought to its end.
    """

    def __init__(
        self, part: Part, dice: random.Random, gap: float, history: History, stopping: threading.Event
    ) -> None:
        super().__init__(name=f"monkey of {part.name}", daemon=True)
        self.error: BaseException | None = None
        self._part = part
        self._dice = dice
        self._gap = gap
        self._history = history
        self._stopping = stopping
        self._deeds: list[tuple[str, Deed, int]] = []

    def may(self, name: str, deed: Deed, weight: int = 1) -> Monkey:
        """Add a deed, chosen in proportion to its weight."""
        self._deeds.append((name, deed, weight))
        return self

    def run(self) -> None:
        try:
            while not self._stopping.wait(self._dice.expovariate(1 / self._gap)):
                self._act()
        except BaseException as error:
            self.error = error

    def _act(self) -> None:
        (name, deed, _), *_ = self._dice.choices(self._deeds, [weight for *_, weight in self._deeds])
        self._history.note("deed", part=self._part.name, deed=name)
        self._part.start()
        deed()
        self._part.start()


def of_worker(
    part: Part, dice: random.Random, lease: float, history: History, stopping: threading.Event
) -> Monkey:
    """Kills a worker, or pauses it until its lease is over, or asks it to leave."""

    def kill() -> None:
        part.kill()
        stopping.wait(dice.uniform(0.0, lease / 2))

    monkey = Monkey(part, dice, 2.5, history, stopping)
    monkey.may("kill", kill, 3)
    monkey.may("pause", lambda: pause(part, dice.uniform(0.8, 2.0) * lease, stopping), 3)
    return monkey.may("terminate", lambda: part.signal(signal.SIGTERM))


def of_server(
    part: ServerPart, dice: random.Random, lease: float, history: History, stopping: threading.Event
) -> Monkey:
    """Kills the server or its Redis, or lets it stand still for a moment."""

    def kill() -> None:
        part.kill()
        stopping.wait(dice.uniform(0.0, lease))

    monkey = Monkey(part, dice, 4.0, history, stopping)
    monkey.may("kill", kill, 2)
    monkey.may("pause", lambda: pause(part, dice.uniform(0.1, 1.2) * lease, stopping))
    return monkey.may("kill redis", part.kill_redis)


def of_database(monkey: Monkey, postgres: Postgres, dice: random.Random, stopping: threading.Event) -> None:
    """Also kills PostgreSQL; the same monkey does it, for no server can start while it is away."""

    def kill() -> None:
        postgres.kill()
        stopping.wait(dice.uniform(0.0, 1.0))
        postgres.start()

    monkey.may("kill postgres", kill, 2)


def pause(part: Part, seconds: float, stopping: threading.Event) -> None:
    """Let it stand still, as a machine that sleeps or swaps does."""
    part.signal(signal.SIGSTOP)
    stopping.wait(seconds)
    part.signal(signal.SIGCONT)
