"""Why a queued task waits, for how many others, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from gpugen_protocol.clock import rfc3339
from gpugen_protocol.events import PhaseEvent
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import estimate, room, workers
from gpugen_server.queue import place as places
from gpugen_server.queue.place import Ahead, Kind
from gpugen_server.queue.workers import LiveWorker

_QUEUED = """
SELECT num, id, owner, place, model, width, height, work, memory, phase_text FROM tasks
WHERE id = ? AND state = 'queued' AND phase = 'queued'
"""


class Wait(Struct, frozen=True, kw_only=True):
    """What a queued task waits for.

    Attributes:
        reason: `no_worker`, `no_model` (workers are there, but none has the model), `no_room` (none of those
            that have it draws anything so large), `set_aside` (those that could failed too often), `busy`,
            `next`.
        position: from 1, not counting what nobody there can draw; None for such a task itself, and beyond
            those that are counted.
        eta_seconds: until it is done; None where that is not known.
    """

    reason: str
    text: str
    position: int | None = None
    eta_seconds: float | None = None

    @property
    def place(self) -> str:
        """The position, for people; empty for a task that is in nobody's line."""
        if self.position:
            return str(self.position)
        return "" if self.reason in {"no_model", "no_room"} else places.BEYOND

    @property
    def data(self) -> dict[str, Any]:
        """The same for programs, as an event carries it."""
        return {"reason": self.reason, "position": self.position, "eta_seconds": self.eta_seconds}


class Waiting(Struct, frozen=True, kw_only=True):
    """What the answer depends on: the task's place and number, and what it asks for."""

    place: int
    num: int
    model: str
    width: int
    height: int
    work: int
    memory: int = 0

    @property
    def kind(self) -> Kind:
        """What it is one of."""
        return Kind(self.model, self.width, self.height)

    def is_served_by(self, worker: LiveWorker) -> bool:
        """Whether `worker` can draw it."""
        return worker.serves(self.model, self.memory, self.width * self.height)


def why(store: Store, task: Waiting, live_after: float, known: Ahead | None = None) -> Wait:
    """What `task` waits for. Workers seen since `live_after` (seconds since the epoch) count as there.

    `known` is what is before it, if the caller has that already.
    """
    live = workers.live(store, live_after)
    ahead = known or places.ahead(store, task.place, task.num)
    able = [worker for worker in live if task.is_served_by(worker)]
    if not able:
        return _unserved(task, live, ahead.position)
    ahead = _that_goes(store, task, ahead, live)
    at = ahead.position
    ready = sum(not worker.is_aside(store.now) for worker in able)
    if not ready:
        return _set_aside(able, at)
    usual = estimate.usual_seconds(store, task.model, task.width, task.height, task.work)
    eta = estimate.queued_seconds(store, usual, ahead, ready)
    if at is None:
        return Wait(
            reason="busy", text=f"more than {places.MAX_POSITION:,} tasks before yours", eta_seconds=eta
        )
    if at == 1:
        return Wait(reason="next", text="next in line", position=at, eta_seconds=eta)
    before = f"{at - 1} task{'s' if at > 2 else ''} before yours"
    return Wait(reason="busy", text=before, position=at, eta_seconds=eta)


def tell(store: Store, task: str, live_after: float) -> None:
    """Write down what `task` waits for, if it waits and that has changed enough to be worth an event."""
    found = store.row(_QUEUED + store.lock_free, task)
    if found is None:
        return
    num, id, owner, place, model, width, height, work, memory, before = found
    asked = Waiting(place=place, num=num, model=model, width=width, height=height, work=work, memory=memory)
    wait = why(store, asked, live_after)
    if not (is_plain(before) and _differs(before, wait)):
        return
    store.change("UPDATE tasks SET phase_text = ? WHERE num = ?", wait.text, num)
    log.append(store, TaskKey(num, id, owner), PhaseEvent, phase="queued", text=wait.text, data=wait.data)


def is_plain(text: str) -> bool:
    """Whether `text` is one of ours, or none; what others told a task of its wait says more."""
    ours = ("waiting for a worker", "next in line", "more than")
    return not text or text.startswith(ours) or text.endswith("before yours")


def _that_goes(store: Store, task: Waiting, ahead: Ahead, live: Sequence[LiveWorker]) -> Ahead:
    """What is before `task` without what nobody there can draw: that keeps its place, and delays nobody."""
    if ahead.loads.keys() <= {task.kind}:  # as most are; somebody can draw `task`
        return ahead
    needs = places.memory(store, ahead)
    goes = {
        kind: load
        for kind, load in ahead.loads.items()
        if any(worker.serves(kind.model, needs[kind], kind.width * kind.height) for worker in live)
    }
    return Ahead(goes, ahead.beyond)


def _unserved(task: Waiting, live: Sequence[LiveWorker], at: int | None) -> Wait:
    if not live:
        return Wait(reason="no_worker", text="waiting for a worker: none is running", position=at)
    owners = [worker for worker in live if worker.serves(task.model)]
    if not owners:
        text = (
            f"waiting for a worker that has the model {task.model}: none of those running has it. "
            "Ask for another one, or start a worker that has it."
        )
        return Wait(reason="no_model", text=text)
    what = room.thing(task.model, task.width, task.height, task.memory)
    limits = room.limits(owners, task.memory, task.width * task.height)
    return Wait(
        reason="no_room", text=f"waiting for a worker that can draw {what}: {limits}. {room.WHAT_TO_DO}"
    )


def _set_aside(able: Sequence[LiveWorker], at: int | None) -> Wait:
    until = rfc3339(min(worker.aside_until or 0.0 for worker in able))
    text = (
        f"waiting for a worker: {room.names(able)} failed at several tasks in a row and will get none before "
        f"{until[11:16]} UTC; see `gpugen workers`"
    )
    return Wait(reason="set_aside", text=text, position=at)


def _differs(before: str, wait: Wait) -> bool:
    """Whether it is news: every place close to the head, further back only moves of a tenth."""
    if before == wait.text:
        return False
    number, _, rest = before.partition(" ")
    if wait.reason != "busy" or wait.position is None or not number.isdecimal() or "before yours" not in rest:
        return True
    return abs(int(number) - (wait.position - 1)) >= max(1, int(number) // 10)
