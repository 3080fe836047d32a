"""What to do about the machines: pure functions from what is wanted and what is there to single steps.

Nothing here knows a provider, a database or a clock, so the same code runs in the server, in its tests and in
a simulation of months. Every brake on cost that the server holds is a line of `_why_leave`.

How many workers a queue is worth follows the backlog, as other autoscalers track a target: the seconds of
work that wait, divided by what one worker may be given. Scaling down looks back over a window, as Kubernetes'
horizontal autoscaler does ("stabilization window"), so that a short lull costs no machine its loaded models.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from msgspec import Struct

from gpugen_server.autoscale.machine import Machine, Sighting

VANISHED_AFTER = 60.0  # seconds a machine that was asked for may be missing from what the provider shows
IDLE_MARGIN = 60.0  # seconds a worker has to leave by itself after its idle time
_GOING = frozenset({"leave", "ended", "cut"})  # steps after which a machine is of no more use
_SILENT = "the machine's worker was silent"
_NEEDLESS = "fewer workers are needed"
_ASIDE = "the machine's worker failed at several tasks in a row"


class Rules(Struct, frozen=True, kw_only=True):
    """The limits, in seconds.

    Attributes:
        boot: from asking for a machine until its worker must have introduced itself.
        idle: how long a worker without work stays.
        silent: how long a worker may be silent.
        backlog: work that is worth one more worker: what one does until another machine has booted.
        pause, longest_pause: before another try after one failure, and at most after many.
    """

    max_workers: int = 1
    boot: float = 900.0
    idle: float = 600.0
    silent: float = 180.0
    backlog: float = 150.0
    pause: float = 2.0
    longest_pause: float = 60.0

    @property
    def window(self) -> float:
        """For how long a wish for more workers is remembered."""
        return self.idle + IDLE_MARGIN


class Work(Struct, frozen=True, kw_only=True):
    """The queue as the autoscaler sees it.

    Attributes:
        waiting, running: tasks.
        seconds: of work that waits; `left`: of work that has begun. None where a speed is not known.
    """

    waiting: int = 0
    running: int = 0
    seconds: float | None = None
    left: float | None = 0.0


class Scene(Struct, frozen=True, kw_only=True):
    """All that is known at one moment; times are seconds since the epoch.

    Attributes:
        since: since when this server watches: what happened before it may have missed.
        sightings: what the provider shows, by the machine's name.
        heard: when each machine's worker was heard of, by the machine's id.
        busy: the ids of the machines whose worker is at work.
        aside: of those whose worker gets nothing until another one would have come, for it failed too often.
        wanted: the most workers that were wanted within the window.
        waiting: whether tasks wait.
    """

    now: float
    since: float = 0.0
    machines: Sequence[Machine] = ()
    sightings: Mapping[str, Sighting] = {}
    heard: Mapping[str, float] = {}
    busy: AbstractSet[str] = frozenset()
    aside: AbstractSet[str] = frozenset()
    wanted: int = 0
    waiting: bool = False


class Step(Struct, frozen=True):
    """One thing to do about the machine called `name`.

    Attributes:
        kind: `ask` the provider (again) for a machine that was wished for; note that it was `asked`, for it
            is there; note that what was asked is `settled`, or that it is `up`; `drain` it: its worker does
            its task and gets no other; tell it to `leave`; note that it has `ended`, or was `cut` off, which
            is a failure unless its worker had done something; remove a `stray`, which no row knows.
        why: for people.
        failed: it ended without having been of use.
    """

    kind: Literal["ask", "asked", "settled", "up", "drain", "leave", "ended", "cut", "stray"]
    name: str
    why: str = ""
    failed: bool = False


class Recent:
    """The most workers wanted within the last `window` seconds: a queue of falling wishes, O(1) amortized."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._falling: deque[tuple[float, int]] = deque()  # each wish is smaller than those before it

    def note(self, now: float, wanted: int) -> int:
        """`wanted` holds now; gives the most that was wanted lately."""
        while self._falling and self._falling[-1][1] <= wanted:
            self._falling.pop()
        self._falling.append((now, wanted))
        while self._falling[0][0] < now - self._window:
            self._falling.popleft()
        return self._falling[0][1]


def desired(work: Work, rules: Rules) -> int:
    """How many workers the queue is worth: none for nothing, one for something, more for much, up to a limit.

    One more for every full `rules.backlog` seconds of waiting work, or where those at work, with all that is
    left to them, would not get to the next task before that; else the work is done before another machine
    would be there (docs/architecture/simulation.md). Where speeds are not known, one for each task.
    """
    tasks = work.waiting + work.running
    if not tasks:
        return 0
    if work.seconds is None or work.left is None:
        return min(rules.max_workers, tasks)
    behind = work.running + int(work.seconds // rules.backlog)
    busy = int((work.seconds + work.left) // rules.backlog)
    return min(rules.max_workers, tasks, max(1, behind, busy))


def missing(wanted: int, rules: Rules, machines: Sequence[Machine], others: int = 0) -> int:
    """How many machines to ask for: those that come up count as there, and so do `others`' workers.

    One that leaves is of no more use, but it is still there: never more than `rules.max_workers` altogether.
    """
    staying = sum(not machine.leaving for machine in machines)
    return max(0, min(wanted - staying - others, rules.max_workers - len(machines)))


def pause(rules: Rules, failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(rules.longest_pause, rules.pause * 2.0 ** (failures - 1)) if failures else 0.0


def steps(rules: Rules, scene: Scene) -> list[Step]:
    """What to do now."""
    found = [step for machine in scene.machines for step in _about(rules, scene, machine)]
    known = {machine.name for machine in scene.machines}
    strays = (name for name, seen in scene.sightings.items() if name not in known and seen.state != "ended")
    found += [Step("stray", name, "no task of this server needs it") for name in strays]
    found += _replaced(rules, scene, found)
    return found + _surplus(rules, scene, found)


def _about(rules: Rules, scene: Scene, machine: Machine) -> list[Step]:
    seen = scene.sightings.get(machine.name)
    if seen is None:
        return _unseen(rules, scene, machine)
    if seen.state == "ended":
        return _over(rules, scene, machine, seen)
    found = []
    if machine.asked_at is None:
        found.append(Step("asked", machine.name))
    if machine.operation and seen.settled:
        found.append(Step("settled", machine.name))
    if machine.up_at is None and seen.state == "running":
        found.append(Step("up", machine.name))
    why = _why_leave(rules, scene, machine, seen)
    return [*found, Step("leave", machine.name, why)] if why else found


def _unseen(rules: Rules, scene: Scene, machine: Machine) -> list[Step]:
    """It was not asked for yet, is still to come, or is gone."""
    if machine.leaving:
        return [_ended(rules, scene, machine, machine.leaving)]
    if machine.asked_at is None:
        if _late(rules, scene, machine):
            return [_ended(rules, scene, machine, "nobody could be asked for it")]
        return [Step("ask", machine.name)]
    pending = machine.operation and not _late(rules, scene, machine)
    if pending or scene.now - machine.asked_at < VANISHED_AFTER:
        return []
    why = "it never came up" if machine.worker is None else "it was taken away"
    return [_ended(rules, scene, machine, why)]


def _over(rules: Rules, scene: Scene, machine: Machine, seen: Sighting) -> list[Step]:
    """It has ended; or it is a stopped one that was not asked to start yet, or has not done so."""
    if machine.asked_at is None and not machine.leaving:
        return [Step("ask", machine.name)]
    if machine.operation and not (seen.settled or seen.failed or _late(rules, scene, machine)):
        return []
    return [_ended(rules, scene, machine, machine.leaving or seen.text or "it ended", seen.failed)]


def _ended(rules: Rules, scene: Scene, machine: Machine, why: str, failed: bool = False) -> Step:
    """A machine that cost money and whose worker never came has failed, whoever ended it."""
    useless = machine.worker is None and machine.up_at is not None
    if useless or (failed and not machine.leaving):
        return Step("ended", machine.name, why, failed=True)
    return Step("cut" if _is_cut(rules, scene, machine) else "ended", machine.name, why)


def _is_cut(rules: Rules, scene: Scene, machine: Machine) -> bool:
    """Whether it crashed, hung, was taken away before it was idle for its time, or idled while tasks wait."""
    if machine.worker is None or machine.leaving == _NEEDLESS:
        return False
    early = not machine.leaving and scene.now - machine.used_at < rules.idle
    return early or scene.waiting or machine.leaving.startswith((_SILENT, _ASIDE))


def _why_leave(rules: Rules, scene: Scene, machine: Machine, seen: Sighting) -> str:
    """Why a machine must go; empty while it may stay. One that was told is told again: calls get lost."""
    if machine.leaving and not _is_drained(scene, machine):
        return machine.leaving
    if seen.failed:
        return seen.text or "it failed"
    if machine.worker is None:
        late = _late(rules, scene, machine)
        return f"the machine's worker did not show up within {rules.boot:g} s" if late else ""
    if scene.now - max(scene.heard.get(machine.id, 0.0), scene.since) > rules.silent:
        return f"{_SILENT} for {rules.silent:g} s"
    idle_since = max(machine.used_at, scene.since)  # who finds no server finds no work
    if machine.id not in scene.busy and scene.now - idle_since > rules.window:
        return f"it was idle for {rules.idle:g} s"
    return ""


def _late(rules: Rules, scene: Scene, machine: Machine) -> bool:
    """Whether it has had its time to come up, some of it while this server was there to be found."""
    begun = machine.asked_at or machine.created_at
    return scene.now - begun > rules.boot and scene.now - scene.since > min(rules.boot, rules.silent)


def _replaced(rules: Rules, scene: Scene, found: Sequence[Step]) -> list[Step]:
    """One whose worker is set aside while tasks wait goes, so that another one can come.

    Only one, and the next only when its successor is there: what makes all of them fail, a bucket that takes
    no images, say, would else cost every machine.
    """
    moving = any(machine.worker is None or machine.leaving for machine in scene.machines)
    lacking = len(scene.machines) < min(scene.wanted, rules.max_workers)
    if not scene.waiting or moving or lacking or any(step.kind in {"ask", *_GOING} for step in found):
        return []
    aside = (each for each in scene.machines if each.id in scene.aside - scene.busy)
    return [Step("leave", machine.name, _ASIDE) for machine in itertools.islice(aside, 1)]


def _surplus(rules: Rules, scene: Scene, found: Sequence[Step]) -> list[Step]:
    """Those that go because fewer are needed: the one that was idle for longest first, it has least to lose.

    What was not needed within the window goes once it is idle. What is over the limit, for that was lowered,
    goes in any case, but a busy one is drained: no task pays for it.
    """
    going = {step.name for step in found if step.kind in _GOING}
    shown = {name for name, seen in scene.sightings.items() if seen.state != "ended"} - going
    there = [each for each in scene.machines if each.name in shown and not each.leaving]
    order = sorted(there, key=lambda machine: (machine.id in scene.busy, machine.used_at, machine.id))
    over = len(there) - rules.max_workers
    needless = len(there) - max(scene.wanted, 0)
    return [
        Step("drain" if machine.id in scene.busy else "leave", machine.name, _NEEDLESS)
        for place, machine in enumerate(order)
        if place < over or (place < needless and _is_idle(scene, machine))
    ]


def _is_drained(scene: Scene, machine: Machine) -> bool:
    """Whether it goes once its worker has done its task."""
    return machine.leaving == _NEEDLESS and machine.id in scene.busy


def _is_idle(scene: Scene, machine: Machine) -> bool:
    return machine.worker is not None and machine.id not in scene.busy
