"""gpugen's queue against huey and celery on Redis, which keep nothing through a crash."""

from benchmarks.peers.race import run

__all__ = ["run"]
