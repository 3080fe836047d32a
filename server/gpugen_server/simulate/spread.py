"""How values are spread, in little memory: counts in buckets whose bounds grow by a hundredth each."""

from __future__ import annotations

import math
from collections import Counter

_LEAST = 0.01  # below counts as nothing
_STEP = math.log(1.01)


class Spread:
    """Values of at least 0; percentiles are exact to one part in a hundred, the mean is exact."""

    def __init__(self) -> None:
        self.count = 0
        self.most = 0.0
        self._total = 0.0
        self._counts: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """One more value."""
        self.count += 1
        self._total += value
        self.most = max(self.most, value)
        self._counts[_bucket(value)] += 1

    @property
    def mean(self) -> float:
        """The mean; 0 without values."""
        return self._total / self.count if self.count else 0.0

    def percentile(self, share: float) -> float:
        """The value that `share` (0 to 1) of all do not exceed; 0 without values."""
        below = 0
        for bucket, count in sorted(self._counts.items()):
            below += count
            if below >= share * self.count:
                return _LEAST * math.exp(_STEP * (bucket - 0.5)) if bucket else 0.0
        return 0.0

    def share_over(self, value: float) -> float:
        """The share of the values that are more than `value`; 0 without values."""
        over = sum(count for bucket, count in self._counts.items() if bucket > _bucket(value))
        return over / self.count if self.count else 0.0


def _bucket(value: float) -> int:
    return int(math.log(value / _LEAST) / _STEP) + 1 if value >= _LEAST else 0
