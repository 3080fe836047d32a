"""The HTML that stays in the notebook file: under a picture, or where there is none.

`style` attributes only, since a sanitizer drops style sheets; without any style the order is still right.
Whatever comes from a user or a server is escaped. A notebook that is not trusted loses the one button that
needs a script; the recipe it copies can be read all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from gpugen import cell, links
from gpugen.words import headline, outcome, settings
from gpugen_protocol.errors import GpugenError
from gpugen_protocol.task import Task

_MAX_RECIPES = 24  # of a grid
_STRONG = "color: var(--jp-ui-font-color0, inherit); font-weight: 600"
_QUIET = "color: var(--jp-ui-font-color2, #6b6b6b); font-size: 12px"
_GOOD = "color: var(--jp-success-color0, #2e7d32)"
_BAD = "color: var(--jp-error-color1, #d32f2f)"
_LINE = "var(--jp-border-color2, rgba(128, 128, 128, 0.35))"
_NOTE = "margin-top: 4px; padding-left: 8px; border-left: 3px solid var(--jp-warn-color1, #f57c00)"
_FONT = "font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif)"
_TEXT = f"{_FONT}; color: var(--jp-ui-font-color1, inherit)"
_CARD = (
    f"box-sizing: border-box; max-width: 720px; padding: 12px; border: 1px solid {_LINE}; border-radius: 8px"
)
_BUTTON = (
    f"display: inline-block; margin: 0 6px 4px 0; padding: 1px 10px; border: 1px solid {_LINE}; "
    "border-radius: 5px; background: transparent; color: var(--jp-ui-font-color1, inherit); "
    "font: inherit; font-size: 12px; line-height: 20px; text-decoration: none; cursor: pointer"
)
_CODE = (
    "margin: 6px 0 0; padding: 8px; border-radius: 5px; white-space: pre-wrap; user-select: all; "
    "background: var(--jp-layout-color2, rgba(128, 128, 128, 0.12))"
)
_COPY = (
    "navigator.clipboard.writeText(this.parentNode.querySelector('pre').textContent)"
    ".then(() => { this.textContent = 'Copied' })"
)


def caption(task: Task, elapsed: float | None = None, warnings: tuple[str, ...] = ()) -> str:
    """The lines under the finished picture, and what can be done with it."""
    tone = _GOOD if task.state == "succeeded" else _QUIET
    last = f'<span style="{tone}">{escape(outcome(task, elapsed))}</span> · task {escape(task.id)}'
    warned = (_line(_NOTE, escape(warning)) for warning in warnings)
    return _box(f"{_TEXT}; margin-top: 4px", *_what(task), _line(_QUIET, last), *warned, actions((task,)))


def actions(tasks: Iterable[Task], names: Sequence[str] = ()) -> str:
    """Links to the full images where a browser can reach them, and the recipes.

    Args:
        tasks: one, or those of a grid.
        names: what the images of each are called; none: by their seeds.
    """
    tasks = tuple(tasks)
    called = names or [""] * len(tasks)
    found = [
        (name or f"seed {image.seed}", address)
        for name, task in zip(called, tasks, strict=True)
        for image in task.images
        if (address := links.image(task.id, image.index))
    ]
    recipes = _recipe("\n\n".join(cell.of_request(task.request) for task in tasks[:_MAX_RECIPES]))
    return _line("margin-top: 6px", _open_links(found) + _download_links(found) + recipes)


def _recipe(text: str) -> str:
    return (
        '<details style="display: inline-block; vertical-align: top; font-size: 12px">'
        '<summary style="cursor: pointer; line-height: 22px">Recipe</summary>'
        f'<pre style="{_CODE}">{escape(text)}</pre>'
        f'<button type="button" style="{_BUTTON}; margin-top: 6px" onclick="{escape(_COPY)}">'
        "Copy recipe</button></details>"
    )


def failure(task: Task, error: GpugenError) -> str:
    """The card that stays when nothing was drawn."""
    canceled = task.state == "canceled"
    message = "Canceled before a picture was finished." if canceled else error.message
    return _box(
        f"{_TEXT}; {_CARD}",
        *_what(task),
        _line(f"{'' if canceled else _BAD}; margin-top: 6px", escape(message)),
        _line("", escape(error.hint)) if error.hint else "",
        _line(f"{_QUIET}; margin-top: 6px", f"task {escape(task.id)}"),
    )


def pending(name: str) -> str:
    """The line under the card of what nobody waits for: it stays if the page is closed meanwhile."""
    wait, show = "<code>%gpugen wait</code>", f"<code>%gpugen show {escape(name)}</code>"
    return _box(_TEXT, _line(_QUIET, f"{wait} waits for it; {show} brings its images, also tomorrow."))


def words(title: str, what: str, last: str, *more: str) -> str:
    """A title, what it was drawn with, how it went: the lines under a grid."""
    head = (_title(title), _line(_QUIET, escape(what)), _line(_QUIET, escape(last)))
    return _box(f"{_TEXT}; margin-top: 4px", *head, *more)


def _open_links(found: list[tuple[str, str]]) -> str:
    if len(found) == 1:
        return _link(found[0][1], "Full size")
    return "".join(_link(address, name, f"Full size, {name}") for name, address in found)


def _download_links(found: list[tuple[str, str]]) -> str:
    if len(found) != 1:
        return ""
    name, address = found[0]
    return _link(address, "Download", download=f"gpugen-{name.removeprefix('seed ')}.png")


def _link(address: str, text: str, label: str = "", download: str = "") -> str:
    how = f'download="{escape(download)}"' if download else 'target="_blank" rel="noopener"'
    name = f' aria-label="{escape(label)}"' if label else ""
    return f'<a href="{escape(address)}" {how}{name} style="{_BUTTON}">{escape(text)}</a>'


def _what(task: Task) -> tuple[str, str]:
    return _title(task.request.prompt), _line(_QUIET, escape(settings(task.request)))


def _title(prompt: str) -> str:
    return f'<div style="{_STRONG}" title="{escape(prompt)}">{escape(headline(prompt))}</div>'


def _box(style: str, *lines: str) -> str:
    return f'<div style="{style}">{"".join(lines)}</div>'


def _line(style: str, markup: str) -> str:
    return f'<div style="{style}">{markup}</div>'
