"""The HTML inside the live card; whatever comes from a user or a server is escaped."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files

from gpugen.shown import Shown
from gpugen.status import STAGES
from gpugen.words import clock


@cache
def style() -> str:
    """The style sheet of the card, as an element."""
    return f"<style>{files('gpugen').joinpath('card.css').read_text(encoding='utf-8')}</style>"


def head(status: Shown) -> str:
    """The prompt and what it is drawn with: constant while the task runs."""
    return (
        f'<div class="gpugen-prompt" title="{escape(status.title)}">{escape(status.title)}</div>'
        f'<div class="gpugen-quiet">{escape(status.settings)}</div>'
    )


def state(status: Shown) -> str:
    """The stages with their marks, then the sentence and the time."""
    stages = "".join(_stage(index, status.stage) for index in range(len(STAGES)))
    return (
        f'<div class="gpugen-stages">{stages}</div><div class="gpugen-phase">'
        f'<span class="gpugen-sentence" title="{escape(status.sentence)}">{escape(status.sentence)}</span>'
        f"<span>{_time(status)}</span></div>"
    )


def note(status: Shown) -> str:
    """A small remark beside the button; empty if there is nothing to say."""
    if status.notes:
        note = escape(status.notes[0])
        return f'<div class="gpugen-note" title="{note}">{note}</div>'
    if status.eta is not None and status.eta >= 10:
        return f'<div class="gpugen-quiet">about {clock(status.eta)} left</div>'
    return ""


def spoken(status: Shown) -> str:
    """What a screen reader says: it changes only when another stage begins, or the user cancels."""
    words = "stopping" if status.canceling else STAGES[status.stage]
    return f'<span role="status">gpugen: {words}</span>'


def bar(fraction: float | None) -> str:
    """A progress bar for where there are no widgets."""
    percent = 100 if fraction is None else round(100 * fraction)
    return (
        '<div class="gpugen-bar"><div class="progress">'
        f'<div class="progress-bar" style="height: 6px; width: {percent}%; '
        f'opacity: {0.35 if fraction is None else 1}"></div></div></div>'
    )


def _stage(index: int, current: int) -> str:
    kind, mark = ("past", "✓") if index < current else ("now", "●") if index == current else ("next", "○")
    return f'<span class="{kind}">{mark} {STAGES[index]}</span>'


def _time(status: Shown) -> str:
    remaining = status.remaining
    if remaining is None or status.canceling:
        return clock(status.elapsed)
    return f"{clock(remaining + 0.5)} left"
