"""Numbers for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from tornado.web import RequestHandler

from gpugen_server.autoscale import cost
from gpugen_server.web.handler import Handler
from gpugen_server.web.health import count
from gpugen_server.web.services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Requests:
    """Counts requests; one of these for an application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("handler", "method", "status")
        self._count = Counter(
            "gpugen_http_requests", "Requests that were answered.", labels, registry=self.registry
        )
        self._seconds = Counter(
            "gpugen_http_request_seconds", "Time they took.", ("handler",), registry=self.registry
        )

    def note(self, handler: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        known = method if method in RequestHandler.SUPPORTED_METHODS else "other"
        count, total = self._counters(handler, known, status)
        count.inc()
        total.inc(seconds)

    @cache  # noqa: B019 - it lives as long as the application
    def _counters(self, handler: str, method: str, status: int) -> tuple[Counter, Counter]:
        return self._count.labels(handler, method, str(status)), self._seconds.labels(handler)


class Metrics(Handler):
    """`/metrics`."""

    role = "admin"

    async def get(self) -> None:
        """What was answered since the start, and how things stand; the numbers tell about everybody."""
        numbers = await self.services.database.run(count, self.services.live_after())
        spent = await self.services.database.run(cost.today)
        text = generate_latest(self.settings["requests"].registry)
        text += generate_latest(_Now(self.services, *numbers, spent))
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(text)


class _Now(Collector):
    """How things stand."""

    def __init__(
        self, services: Services, tasks: Mapping[str, int], workers: Mapping[str, int], spent: float
    ) -> None:
        self._services = services
        self._tasks = tasks
        self._workers = workers
        self._spent = spent

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        yield _family("gpugen_tasks", "Tasks by state.", self._tasks)
        yield _family("gpugen_workers", "Workers by state.", self._workers)
        about = "What the autoscaler's machines have cost since midnight UTC, in estimated US dollars."
        yield GaugeMetricFamily("gpugen_cost_today_dollars", about, self._spent)
        yield GaugeMetricFamily("gpugen_watchers", "Open websockets.", len(self._services.hub))
        uptime = time.monotonic() - self._services.started
        yield GaugeMetricFamily("gpugen_uptime_seconds", "How long this server runs.", uptime)


def _family(name: str, text: str, numbers: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=("state",))
    for state, number in numbers.items():
        family.add_metric((state,), number)
    return family
