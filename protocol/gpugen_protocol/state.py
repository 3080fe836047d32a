"""The states of a task and the table of allowed moves: everything that is not in the table is an error.

    queued ----> running ----> succeeded
      |  ^         |  |  \\---> failed
      |  \\---------/  |
      |   (lease lost  \\------> canceled
      |    or released)            ^
      \\---------------------------/       queued -> failed: nothing can ever serve it

`succeeded`, `failed` and `canceled` are terminal: they never change.
"""

from __future__ import annotations

from typing import Literal, get_args

State = Literal["queued", "running", "succeeded", "failed", "canceled"]

STATES: tuple[State, ...] = get_args(State)

MOVES: dict[State, frozenset[State]] = {
    "queued": frozenset({"running", "canceled", "failed"}),
    "running": frozenset({"queued", "succeeded", "failed", "canceled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "canceled": frozenset(),
}

TERMINAL: frozenset[State] = frozenset(state for state, moves in MOVES.items() if not moves)


def may_move(old: State, new: State) -> bool:
    """Whether a task in state `old` may go to state `new`."""
    return new in MOVES[old]
