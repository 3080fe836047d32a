"""So many of something a minute, by whom: the generic cell rate algorithm, one number for each in memory.

Source: ITU-T I.371, annex A; `self._due[key]` is its theoretical arrival time.
"""

from __future__ import annotations

import ipaddress
import time

_MOST = 10_000  # keys in memory


class Throttle:
    """Counts.

    Args:
        per_minute: how many a minute one key has, and at most at once; 0: any number.
    """

    def __init__(self, per_minute: int) -> None:
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._due: dict[str, float] = {}

    def wait(self, key: str) -> float:
        """Seconds until `key` may have one more; 0: now."""
        ahead = self._due.get(_subject(key), 0.0) - time.monotonic()
        return max(0.0, ahead + self._interval - 60.0) if self._interval else 0.0

    def take(self, key: str) -> float:
        """Let `key` have one more, and give 0; or leave it as it is, and give the seconds until it may."""
        wait = self.wait(key)
        if wait or not self._interval:
            return wait
        if len(self._due) >= _MOST:
            self._sweep()
        self._due[_subject(key)] = max(self._due.get(_subject(key), 0.0), time.monotonic()) + self._interval
        return 0.0

    def give_back(self, key: str) -> None:
        """Take the last one of `key` for not had."""
        if due := self._due.get(_subject(key)):
            self._due[_subject(key)] = due - self._interval

    def _sweep(self) -> None:
        """Forget who has waited enough; should that be nobody, forget all."""
        now = time.monotonic()
        self._due = {key: due for key, due in self._due.items() if due > now}
        if len(self._due) >= _MOST:
            self._due.clear()


def _subject(key: str) -> str:
    """One machine has a whole /64 of IPv6."""
    if ":" not in key:
        return key
    try:
        return str(ipaddress.ip_network(f"{key.partition('%')[0]}/64", strict=False))
    except ValueError:
        return key
