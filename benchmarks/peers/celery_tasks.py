"""celery on Redis, without results. Its interpreter is not ours: only celery is imported."""

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS"])
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True


@app.task
def started(told: str) -> None:
    """Writes down when it ran."""
    with Path(told).open("a", encoding="ascii") as file:
        file.write(f"{time.perf_counter()}\n")


def submit(told: str) -> None:
    """Queue one."""
    started.delay(told)
