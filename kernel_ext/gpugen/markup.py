"""The HTML inside the live card; whatever comes from a user or a server is escaped."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files

from gpugen.status import STAGES, Status
from gpugen.words import clock, headline, settings


@cache
def style() -> str:
    """The style sheet of the card, as an element."""
    return f"<style>{files('gpugen').joinpath('card.css').read_text(encoding='utf-8')}</style>"


def head(status: Status) -> str:
    """The prompt and what it is drawn with: constant while the task runs."""
    prompt = status.task.request.prompt
    return (
        f'<div class="gpugen-prompt" title="{escape(prompt)}">{escape(headline(prompt))}</div>'
        f'<div class="gpugen-quiet">{escape(settings(status.task.request))}</div>'
    )


def state(status: Status) -> str:
    """The stages with their marks, then the sentence and the time."""
    stages = "".join(_stage(index, status.stage) for index in range(len(STAGES)))
    return (
        f'<div class="gpugen-stages">{stages}</div><div class="gpugen-phase">'
        f'<span class="gpugen-sentence" title="{escape(status.sentence)}">{escape(status.sentence)}</span>'
        f"<span>{_time(status)}</span></div>"
    )


def note(status: Status) -> str:
    """A small remark beside the button; empty if there is nothing to say."""
    if status.degraded:
        return f'<div class="gpugen-note" title="{escape(status.degraded)}">{escape(status.degraded)}</div>'
    if status.warnings:
        warning = escape(status.warnings[-1])
        return f'<div class="gpugen-note" title="{warning}">{warning}</div>'
    eta = status.task.eta_seconds
    if status.fraction is None and eta is not None and eta >= 10:
        return f'<div class="gpugen-quiet">about {clock(eta)} in all</div>'
    return ""


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


def _time(status: Status) -> str:
    remaining = status.remaining
    if remaining is None or status.canceling:
        return clock(status.elapsed)
    return f"{clock(remaining + 0.5)} left"
