"""Which task goes next: the whole policy of the queue, in one number that is decided when a task comes.

Every task gets a *turn*. The queue serves turn after turn, and within one turn every lane once; a lane is one
user's tasks of one priority. So users take turns however many tasks each of them has sent, and one user's
tasks go in the order of arrival. This is start-time fair queueing with tasks of equal cost (Goyal, Vin,
Cheng: Start-time Fair Queueing, SIGCOMM 1996): the turn is the virtual start time, the last turn that was
served the virtual time.

A task's *place* is its turn, moved by its priority: STEP turns earlier for every level. That carries ageing
as well: whoever waits keeps its place while later turns pass, so each level below another one lets at most
STEP turns more go first, and then goes itself. Nothing starves, and nothing is written while a task waits.
A lane that has lowered its priority also takes fewer turns (`pace`): its user's other lanes have theirs.

With one user and one priority this is first in, first out. Ties go to the one that came first. A task that
comes back from a worker keeps its place and so goes first.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

STEP = 10  # turns that one level of priority is worth
GROUP_PRIORITY = -10  # of a task that names a group and no priority: a grid lets single prompts go first
LOOK_AHEAD = 32  # tasks at the head among which a worker may prefer one for the model it has loaded


class Lane(Struct, frozen=True):
    """What decides about the next task of one user and priority.

    Attributes:
        served: the last turn the queue has served, of any lane; -1: none yet.
        served_here: whether this lane had a task in that turn.
        waiting: the turn of the lane's last task in the queue; -1: none waits.
        over: the last turn of which a task was removed. Nobody gets it any more, for who had it is forgotten:
            else a user who removes every task once it is done would always be the next.
    """

    served: int = -1
    served_here: bool = False
    waiting: int = -1
    over: int = -1


class Front(Struct, frozen=True):
    """A task at the head of the queue."""

    num: int
    model: str
    priority: int = 0
    passed_at: float | None = None


def turn(lane: Lane, priority: int = 0) -> int:
    """The turn of the lane's next task: after its last one, and never one that has gone by."""
    step = pace(priority)
    after = lane.waiting + step if lane.waiting >= 0 else 0
    return max(lane.served + step * lane.served_here, after, lane.over + 1, 0)


def pace(priority: int) -> int:
    """How many turns apart the tasks of one lane are.

    A lane k levels below 0 has every (k + 1)th turn. A user who spreads tasks over k priorities so has the
    share of 1 + 1/2 + ... + 1/k users at most, not that of k.
    """
    return 1 + max(0, -priority)


def place(turn: int, priority: int) -> int:
    """The lower, the sooner."""
    return turn - STEP * priority


def may_prefer(loaded: Collection[str], wanted: Collection[str]) -> bool:
    """Whether a worker that has `loaded` and draws with `wanted` (empty: any model) could be handed a task
    for a model it has not loaded, so that it matters which one it gets.
    """
    return bool(loaded) and not (wanted and set(wanted) <= set(loaded))


def may_wait(head: Front, loaded: Collection[str], now: float, longest: float) -> bool:
    """Whether a worker that has `loaded` may pass over the head of the queue for a model it has.

    It may for `longest` seconds from the first time that happens: loading another model costs a worker more
    than a moment costs the task, but not more than that. Never for a task of lower priority: that would make
    a single prompt wait for somebody's grid.
    """
    if not loaded or head.model in loaded:
        return False
    return head.passed_at is None or now - head.passed_at < longest
