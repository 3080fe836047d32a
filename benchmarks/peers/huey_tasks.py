"""huey on Redis, as its documentation starts it. Its interpreter is not ours: only huey is imported."""

import os
import time
from pathlib import Path

from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS"])


@huey.task()
def started(told: str) -> None:
    """Writes down when it ran."""
    with Path(told).open("a", encoding="ascii") as file:
        file.write(f"{time.perf_counter()}\n")


def submit(told: str) -> None:
    """Queue one."""
    started(told)
