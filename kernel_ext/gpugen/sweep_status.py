"""All the tasks of a grid as one: one progress, one board."""

from __future__ import annotations

from collections.abc import Sequence

from gpugen.board import Board, Tile, make
from gpugen.grid import Axis, Values, label
from gpugen.status import Status
from gpugen.words import headline, in_common

_COLUMNS = 6
_NAMED = {"steps", "guidance", "seed", "strength"}  # numbers say nothing without their key


class SweepStatus:
    """The statuses of a grid's tasks, in the order of its points.

    Attributes:
        members: one for each point.
        points: the values of each.
        canceling: somebody here asked for all to stop.
    """

    def __init__(
        self, name: str, text: str, axes: Sequence[Axis], points: Sequence[Values], members: Sequence[Status]
    ) -> None:
        self.name = name
        self.members = tuple(members)
        self._text = text
        self._axes = tuple(axes)
        self.points = tuple(points)
        self._places = [(member, index) for member in self.members for index in range(member.task.request.n)]

    @property
    def canceling(self) -> bool:
        """Whether all were asked to stop."""
        return all(member.canceling or member.finished for member in self.members)

    @canceling.setter
    def canceling(self, value: bool) -> None:
        for member in self.members:
            member.canceling = value

    @property
    def title(self) -> str:
        """The prompt as it was typed, or the prompts that were tried."""
        return headline(self._text or ", ".join(str(point["prompt"]) for point in self.points))

    @property
    def settings(self) -> str:
        """What all have in common, and what is tried."""
        tried = " × ".join(_count(axis) for axis in self._axes)
        return f"{in_common([member.task.request for member in self.members])} · {tried}"

    @property
    def board(self) -> Board:
        """A row for each value of all axes but the last, as far as that is not too wide."""
        across = len(self._axes[-1].values) * max(member.task.request.n for member in self.members)
        requests = [member.task.request for member in self.members]
        size = (max(each.width for each in requests), max(each.height for each in requests))
        return make(self._tiles(), size, across if across <= _COLUMNS else 4)

    def _tiles(self) -> list[Tile]:
        tiles = []
        for point, member in zip(self.points, self.members, strict=True):
            lines = tuple(caption(key, value) for key, value in point.items())
            for seed in member.task.request.seeds:
                own = (f"seed {seed}",) if member.task.request.n > 1 else ()
                title = f"{member.task.request.prompt} ({', '.join((*lines, f'seed {seed}'))})"
                tiles.append(Tile((*lines, *own), title))
        return tiles

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return all(member.finished or member.failure is not None for member in self.members)

    @property
    def stage(self) -> int:
        """That of the task which is furthest."""
        return max(member.stage for member in self.members)

    @property
    def sentence(self) -> str:
        """How many images are there, and what is going on."""
        if self.canceling and not self.finished:
            return "Stopping"
        drawn = sum(len(member.announced) for member in self.members)
        now = self._at_work
        doing = f" · {now.sentence[:1].lower()}{now.sentence[1:]}" if now is not None else ""
        return f"{drawn} of {len(self._places)} images{doing}"

    @property
    def fraction(self) -> float | None:
        """The mean of all."""
        if all(member.fraction is None and not member.finished for member in self.members):
            return None
        done = [1.0 if member.finished else member.fraction or 0.0 for member in self.members]
        return sum(done) / len(done)

    @property
    def remaining(self) -> float | None:
        """What is left takes as long as what was done, once that says anything."""
        fraction = self.fraction
        began = [member.drawing_since for member in self.members if member.drawing_since is not None]
        if not fraction or fraction < 0.02 or not began:
            return None
        return (self.members[0].now - min(began)) * (1 - fraction) / fraction

    @property
    def elapsed(self) -> float:
        """Seconds since it was shown first."""
        return max(member.elapsed for member in self.members)

    @property
    def notes(self) -> tuple[str, ...]:
        """What any of the tasks says besides, each once."""
        return tuple(dict.fromkeys(note for member in self.members for note in member.notes))

    @property
    def eta(self) -> float | None:
        """The longest of all, while nothing was drawn yet."""
        known = [member.eta for member in self.members if member.eta is not None]
        return max(known) if known and self.fraction is None else None

    def picture(self, index: int) -> bytes | None:
        """What image `index` of all looks like by now."""
        member, own = self._places[index]
        return member.picture(own)

    def is_final(self, index: int) -> bool:
        """Whether that is the image itself, not a preview."""
        member, own = self._places[index]
        return member.is_final(own)

    @property
    def _at_work(self) -> Status | None:
        """The task that is being drawn, else the first that waits."""
        left = [member for member in self.members if not member.finished]
        return max(left, key=lambda member: member.stage) if left else None


def _count(axis: Axis) -> str:
    """`3 values of steps`: `3 steps` would be a number of steps."""
    return f"{len(axis.values)} value{'s' if len(axis.values) != 1 else ''} of {axis.key}"


def caption(key: str, value: object) -> str:
    """A value as it stands under its image: `steps 20`, `fox`."""
    return f"{key} {label(value)}" if key in _NAMED else label(value)
