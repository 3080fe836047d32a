"""A database with a queue, and short ways to put things in it."""

from __future__ import annotations

import time

import msgspec
import pytest

from gpugen_protocol.models import parse_registry
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import SessionRequest
from gpugen_server.database import Database
from gpugen_server.events import log
from gpugen_server.queue import workers
from gpugen_server.queue.claim import Claimer, claim
from gpugen_server.queue.submit import Submission, submit


class Queue:
    """The queue, used from the test's own thread."""

    def __init__(self, path):
        self.database = Database(path, "NORMAL")
        self.database.migrate()

    def submit(self, model=None):
        """A task in the queue; gives its id."""
        asked = TaskRequest(prompt="a cat", model=model)
        resolved = parse_registry({}).resolve(asked, seed=1)
        submission = Submission(user="ann", asked=asked, resolved=resolved, max_attempts=3)
        return self.database.call(submit, submission, time.time()).task

    def worker(self, user, *models):
        """A worker that is there; gives its id."""
        introduction = SessionRequest(name="w", models=models, version="0.1.0")
        return self.database.call(workers.register, introduction, user)

    def claim(self, worker):
        """A task in the hands of `worker`."""
        claimer = Claimer(worker=worker, models=(), count=1, lease_seconds=30)
        return self.database.call(claim, claimer)

    def task(self, task):
        """State, phase and text of a task."""
        return self.row("SELECT state, phase, phase_text FROM tasks WHERE id = ?", task)

    def row(self, sql, *params):
        return self.database.call(lambda store: store.row(sql, *params))

    def events(self, task):
        """The numbered events of a task, as dicts."""
        (num,) = self.row("SELECT num FROM tasks WHERE id = ?", task)
        return [msgspec.json.decode(body) for _, body in self.database.call(log.read, num, 0)]


@pytest.fixture
def queue(tmp_path):
    made = Queue(tmp_path / "gpugen.db")
    yield made
    made.database.disconnect()
