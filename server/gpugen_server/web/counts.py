"""How many requests there were, and how long they took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"})


class Requests(Collector):
    """Counts requests; one of these for an application. Only the event loop counts, so nothing is locked."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def note(self, handler: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._counts[handler, method if method in _METHODS else "other", status] += 1
        self._seconds[handler] += seconds

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Both, for Prometheus."""
        labels = ("handler", "method", "status")
        counts = CounterMetricFamily("gpugen_http_requests", "Requests that were answered.", labels=labels)
        for (handler, method, status), count in self._counts.items():
            counts.add_metric((handler, method, str(status)), count)
        yield counts
        seconds = CounterMetricFamily("gpugen_http_request_seconds", "Time they took.", labels=("handler",))
        for handler, spent in self._seconds.items():
            seconds.add_metric((handler,), spent)
        yield seconds
