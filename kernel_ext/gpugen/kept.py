"""What stays of whatever was shown: of a task, or of a grid."""

from __future__ import annotations

import base64
from typing import Any

from gpugen import kept_markup
from gpugen.durable import Output, failure_output, outputs_of
from gpugen.ending import Ending, SweepEnding
from gpugen.pictures import picture_of
from gpugen.sweep_status import caption
from gpugen.words import duration
from gpugen_protocol import wire
from gpugen_protocol.errors import TaskFailed


def outputs(ending: Ending | SweepEnding) -> tuple[Output, Output | None]:
    """The picture and the words under it, or the card of a failure alone; raises as `outputs_of`."""
    return outputs_of(ending) if isinstance(ending, Ending) else _outputs_of_grid(ending)


def _outputs_of_grid(ending: SweepEnding) -> tuple[Output, Output | None]:
    drawn = [png for each in ending.members for png in each.pngs]
    if not drawn:
        return failure_output(ending.members[0].task, ending.error or TaskFailed("Nothing was drawn.")), None
    status = ending.status
    last = _outcome(ending, len(drawn))
    text = "\n".join((status.title, status.settings, last))
    tasks = [each.task for each in ending.members]
    names = [", ".join(caption(*pair) for pair in point.items()) for point in status.points]
    html = kept_markup.words(status.title, status.settings, last, kept_markup.actions(tasks, names))
    noted = {"gpugen": {"group": status.name, "points": _points(ending)}}
    if ending.embed == "none":
        return Output({"text/html": html, "text/plain": text}, noted), None
    picture = picture_of(*_sheet(ending), full=ending.embed == "full")
    size = {"width": picture.width, "height": picture.height, "alt": status.title}
    data = {picture.mime: base64.b64encode(picture.data).decode(), "text/plain": text}
    return Output(data, {picture.mime: size, **noted}), Output({"text/html": html, "text/plain": ""})


def _sheet(ending: SweepEnding) -> tuple[list[bytes], Any]:
    """The finished images and their places: those that are missing leave a gap."""
    board = ending.status.board
    pngs: list[bytes] = []
    for each in ending.members:
        missing = each.task.request.n - len(each.pngs)
        pngs += [*each.pngs, *[b""] * missing]
    return pngs, board


def _outcome(ending: SweepEnding, drawn: int) -> str:
    wanted = sum(each.task.request.n for each in ending.members)
    count = f"{drawn} images" if drawn == wanted else f"{drawn} of {wanted} images"
    how = "Done" if drawn == wanted else "Ended"
    return f"{how} in {duration(ending.elapsed)} · {count} · group {ending.status.name}"


def _points(ending: SweepEnding) -> list[dict[str, Any]]:
    return [
        {
            "values": values,
            "task": each.task.id,
            "state": each.task.state,
            "request": wire.plain(each.task.request),
        }
        for values, each in zip(ending.status.points, ending.members, strict=True)
    ]
