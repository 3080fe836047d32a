"""What may go wrong between a client and the server: drawn by a seeded dice, request by request."""

from __future__ import annotations

import random
from typing import Literal, NamedTuple

Kind = Literal["none", "refuse", "late", "lost", "slow", "half-open"]

# Shares of all requests. `late` makes stale posts: it holds a request back until its lease may be over. The
# finish of a task meets it most often, for that is where a queue goes wrong.
_SHARES: dict[Kind, float] = {"refuse": 0.04, "late": 0.08, "lost": 0.08, "slow": 0.04, "half-open": 0.05}
_AT_THE_FINISH: dict[Kind, float] = {**_SHARES, "late": 0.35}


class Fault(NamedTuple):
    """What happens to one request.

    `refuse`: it never arrives. `late`: it arrives after `seconds`. `lost`: the server acts, its answer is
    dropped. `slow`: the answer takes `seconds`. `half-open`: a client that dies meanwhile is not missed.
    """

    kind: Kind
    seconds: float = 0.0


class Weather:
    """Faults until it is calm.

    Args:
        dice: what decides.
        lease: seconds of a lease.
    """

    def __init__(self, dice: random.Random, lease: float) -> None:
        self.calm = False
        self._dice = dice
        self._lease = lease

    def fault(self, path: str) -> Fault:
        """What happens to the next request, which goes to `path`."""
        if self.calm:
            return Fault("none")
        at_the_finish = path.endswith("/complete")
        table = _AT_THE_FINISH if at_the_finish else _SHARES
        kinds: list[Kind] = [*table, "none"]
        shares = [*table.values(), 1 - sum(table.values())]
        leases = self._dice.uniform(float(at_the_finish), 3.0)
        return Fault(self._dice.choices(kinds, shares)[0], leases * self._lease)
