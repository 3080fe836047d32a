"""Users, workers, losses and time: each does one thing to the queue and to its reference, in any order."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from tests.server.conftest import LEASE_SECONDS, Queue
from tests.server.queue.reference import OLD, TERMINAL, Reference, Worker

from gpugen_protocol.errors import GpugenError
from gpugen_protocol.events import PhaseReport
from gpugen_protocol.worker import Completion, Failure
from gpugen_server.database import Store
from gpugen_server.images import accept
from gpugen_server.images.accept import Arrival
from gpugen_server.images.codec import Encoded
from gpugen_server.queue import cancel, finish, groups, reap, remove, report

MODELS = ("emoji", "sdxl")
FLEET = ((), (), ("emoji",))  # what the workers can draw with
RECENT = 6  # leases among which a worker's next post finds its own; older ones are long forgotten
TABLES = ("events", "images", "tasks", "workers")
ROWS = "SELECT id, state, attempt, released, cancel, lease, worker, turn, place, error FROM tasks"

users = st.sampled_from(("ann", "bob", "cid"))
# Which of the last leases a post is about; those that still hold come first.
recent = st.integers(0, RECENT - 1)
several = st.lists(st.sampled_from(MODELS), min_size=2, max_size=4)
fleet = st.integers(0, len(FLEET) - 1)
loads = st.sampled_from(((), ("emoji",), ("sdxl",)))


class Machine(RuleBasedStateMachine):
    """Every rule does one thing to the queue and to the reference; both must answer alike."""

    tasks: Bundle[str] = Bundle("tasks")

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self.told: dict[str, list[str]] = {}  # the states of tasks that are finished: they never change

    @initialize(target=tasks, models=several, others=several)
    def begin(self, models: list[str], others: list[str]) -> Any:
        """An empty database, and then something to do."""
        self.queue.call(lambda store: [store.change(f"DELETE FROM {table}") for table in TABLES])
        self.queue.call(lambda store: store.change("UPDATE past SET turn = -1"))
        self.reference = Reference()
        self.workers = [self._new_worker(each) for each in FLEET]
        grid = [self.submit("ann", None, model=model, group="g") for model in models]
        return multiple(*grid, *(self.submit("bob", None, model=model) for model in others))

    # ---- users ----

    @rule(
        target=tasks,
        user=users,
        key=st.none() | st.sampled_from(("k1", "k2")),
        model=st.sampled_from(MODELS),
        n=st.sampled_from((1, 1, 2)),
        group=st.sampled_from((None, "g", "g")),
        priority=st.none() | st.sampled_from((-1, 0, 3)),
    )
    def submit(self, user: str, key: str | None, **body: Any) -> str:
        known = self._expected(lambda: self.reference.known(user, key, body))
        found = self._found(lambda: self.queue.try_submit(user, key, **body))
        if isinstance(known, type):
            assert found is known
            return self.reference.keys[user, key or ""][0]
        id, new = found
        assert new == (known is None)
        assert known in (None, id)
        if new:
            self.reference.submit(id, user, key, body)
        return str(id)

    @rule(target=tasks, user=users, models=several)
    def submit_several(self, user: str, models: list[str]) -> Any:
        return multiple(*(self.submit(user, None, model=model) for model in models))

    @rule(task=tasks, user=users, what=st.sampled_from(("one", "what runs", "what runs", "group")), at=recent)
    def cancel(self, task: str, user: str, what: str, at: int) -> None:
        if what == "group":
            self._both(groups.withdraw, ("g", user), self.reference.cancel_group, ("g", user))
            return
        if what == "what runs" and self.reference.leases:
            task = self.reference.task_of(self._lease(at)[0])
        if task in self.reference.tasks:
            self._both(cancel.cancel, (task, None), self.reference.cancel, (task,))

    @rule(task=consumes(tasks))
    def remove(self, task: str) -> None:
        if task in self.reference.tasks:
            self._both(remove.remove, (task, None), self.reference.remove, (task,))
            if task not in self.reference.tasks:
                self.told.pop(task, None)

    # ---- workers ----

    @rule(which=fleet, loaded=loads)
    def claim(self, which: int, loaded: tuple[str, ...]) -> None:
        worker = self.workers[which]
        expected = self.reference.claim(worker, loaded)
        lease = self.queue.claim(worker, loaded=loaded)
        assert (lease and lease.task.id) == (expected and expected.id)
        if lease and expected:
            self.reference.grant(expected, lease.id, worker)
            assert lease.task.attempt == expected.attempt

    @rule(which=fleet, loaded=loads, well=st.booleans(), times=st.integers(1, 4))
    def claim_and_end(self, which: int, loaded: tuple[str, ...], well: bool, times: int) -> None:
        """What most tasks live to see, in one go: so that there are streaks of it."""
        for _ in range(times):
            before = len(self.reference.leases)
            self.claim(which, loaded)
            if len(self.reference.leases) > before:
                self.complete(0, draw=True) if well else self.fail(0, "error", retryable=False)

    @precondition(lambda self: self.reference.leases)
    @rule(at=recent, phase=st.booleans())
    def report(self, at: int, phase: bool) -> None:
        lease, worker = self._lease(at)
        said = (PhaseReport(phase="loading"),) if phase else ()
        held = self._found(lambda: self.queue.call(report.report, lease, worker, said, LEASE_SECONDS))
        expected = self._expected(lambda: self.reference.report(lease, worker, phase))
        assert (held if isinstance(held, type) else held.cancel) == expected

    @precondition(lambda self: self.reference.leases)
    @rule(at=recent, index=st.integers(0, 1), source=st.sampled_from(("s", "s", "t")))
    def upload(self, at: int, index: int, source: str) -> None:
        lease, worker = self._lease(at)
        if index < self.reference.images_of(lease):
            self._upload(lease, worker, index, source)

    @precondition(lambda self: self.reference.leases)
    @rule(at=recent, draw=st.booleans())
    def complete(self, at: int, draw: bool) -> None:
        lease, worker = self._lease(at)
        for index in range(self.reference.images_of(lease) if draw else 0):
            self._upload(lease, worker, index, "s")
        arguments = (lease, worker, Completion())
        self._both(finish.complete, arguments, self.reference.complete, (lease, worker))

    @precondition(lambda self: self.reference.leases)
    @rule(
        at=recent,
        code=st.sampled_from(("error", "out_of_memory", "not_supported", "canceled")),
        retryable=st.booleans(),
    )
    def fail(self, at: int, code: Any, retryable: bool) -> None:
        lease, worker = self._lease(at)
        failure = Failure(code=code, message="No.", retryable=retryable)
        self._both(
            finish.fail, (lease, worker, failure), self.reference.fail, (lease, worker, code, retryable)
        )

    @precondition(lambda self: self.reference.leases)
    @rule(at=recent, who=fleet)
    def another_worker_uses_the_lease(self, at: int, who: int) -> None:
        lease, worker = self._lease(at)[0], self.workers[who]
        self._both(finish.release, (lease, worker, ""), self.reference.release, (lease, worker))

    @rule(which=fleet)
    def drain(self, which: int) -> None:
        """It is stopped: gives back what it holds; another one takes its place."""
        worker = self.workers[which]
        for lease, _, holder in self.reference.leases:
            if holder == worker:
                self._both(finish.release, (lease, worker, ""), self.reference.release, (lease, worker))
        self.workers[which] = self._new_worker(FLEET[which])

    # ---- time ----

    @precondition(lambda self: self.reference.leases)
    @rule(at=recent)
    def fall_silent(self, at: int) -> None:
        lease, _ = self._lease(at)
        self.queue.expire(lease)
        self.reference.expire(lease)

    @rule(minute=st.booleans(), restart=st.booleans())
    def let_time_pass(self, minute: bool, restart: bool) -> None:
        """Expired leases are looked for; before that the server may have started anew."""
        if minute:
            self._let_a_minute_pass()
        if restart:
            self._both(reap.spare, (LEASE_SECONDS,), self.reference.spare, ())
        self._both(reap.reap, (), self.reference.reap, ())

    # ---- what always holds ----

    @invariant()
    def both_know_the_same(self) -> None:
        rows = {row[0]: row[1:] for row in self.queue.call(lambda store: store.rows(ROWS))}
        assert rows.keys() == self.reference.tasks.keys(), "a task was lost, or came from nowhere"
        for task in self.reference.tasks.values():
            state, attempt, released, asked_to_stop, lease, worker, turn, place, error = rows[task.id]
            assert (state, attempt, released, bool(asked_to_stop)) == (
                task.state,
                task.attempt,
                task.released,
                task.cancel,
            )
            assert (lease, (place, turn)) == (task.lease, (task.at[0], task.turn))
            assert worker == task.worker
            assert (json.loads(error)["code"] if error else None) == task.error

    @invariant()
    def watchers_are_told_every_state_once_and_nothing_after_the_end(self) -> None:
        for id, events in self.queue.call(_stories).items():
            assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
            told = [body["state"] for _, body in events if body["type"] == "state"]
            assert told == self.reference.tasks[id].told
            if told[-1] in TERMINAL:
                assert events[-1][1]["type"] == "state"
                assert self.told.setdefault(id, told) == told

    def teardown(self) -> None:
        """The faults end, one good worker comes: everything that was acknowledged comes to its end."""
        self.queue.call(lambda store: store.change("UPDATE tasks SET lease_until = 1"))
        worker = self.queue.new_worker()
        while lease := self.queue.claim(worker):
            for index in range(lease.task.request.n):
                _accept(self.queue, lease.id, worker, index, "s")
            self.queue.call(finish.complete, lease.id, worker, Completion())
        left = self.queue.call(lambda store: store.rows("SELECT id, state FROM tasks"))
        assert {id for id, _ in left} == set(self.reference.tasks)
        assert {state for _, state in left} <= TERMINAL

    # ---- the parts ----

    def _let_a_minute_pass(self) -> None:
        self.queue.call(lambda store: store.change("UPDATE tasks SET passed_at = passed_at - ?", OLD))
        self.queue.call(lambda store: store.change("UPDATE workers SET set_aside_until = 1"))
        self.reference.let_a_minute_pass()

    def _new_worker(self, models: tuple[str, ...]) -> str:
        worker = self.queue.new_worker(*models)
        self.reference.workers[worker] = Worker(models)
        return worker

    def _lease(self, at: int) -> tuple[str, str]:
        """A lease and the worker it was granted to: first those that hold, then the last that were lost."""
        newest = self.reference.leases[-RECENT:][::-1]
        last = sorted(newest, key=lambda each: not self.reference.holds(each[0]))
        lease, _, worker = last[min(at, len(last) - 1)]
        return lease, worker

    def _upload(self, lease: str, worker: str, index: int, source: str) -> None:
        found = self._found(lambda: _accept(self.queue, lease, worker, index, source))
        expected = self._expected(lambda: self.reference.accept(lease, worker, index, source))
        assert (found if isinstance(found, type) else None) == expected

    def _both(self, real: Any, arguments: tuple[Any, ...], model: Any, same: tuple[Any, ...]) -> None:
        """Do it to both: either both refuse, for the same reason, or neither does."""
        found = self._found(lambda: self.queue.call(real, *arguments))
        refused = found if isinstance(found, type) else None
        assert refused == self._expected(lambda: model(*same))

    @staticmethod
    def _found(work: Any) -> Any:
        try:
            return work()
        except GpugenError as error:
            return type(error)

    _expected = _found


def _accept(queue: Queue, lease: str, worker: str, index: int, source: str) -> None:
    arrival = Arrival(lease, worker, index, Encoded(b"png", "sha", source), "f")
    queue.call(accept.accept, arrival, LEASE_SECONDS)


def _stories(store: Store) -> dict[str, list[tuple[int, Any]]]:
    """The events of every task, in order."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for id, seq, body in store.rows(
        "SELECT id, seq, body FROM events JOIN tasks ON num = task_num ORDER BY num, seq"
    ):
        found.setdefault(id, []).append((seq, json.loads(bytes(body))))
    return found
