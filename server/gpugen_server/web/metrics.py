"""Numbers for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gpugen_server.autoscale import cost
from gpugen_server.web.handler import Handler
from gpugen_server.web.health import count
from gpugen_server.web.services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics(Handler):
    """`/metrics`."""

    role = "admin"

    async def get(self) -> None:
        """What was answered since the start, and how things stand; the numbers tell about everybody."""
        numbers = await self.services.database.run(count, self.services.live_after())
        spent = await self.services.database.run(cost.today)
        text = generate_latest(self.services.requests)
        text += generate_latest(_Now(self.services, *numbers, spent))
        self.send(text, CONTENT_TYPE)


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
