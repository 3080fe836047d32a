"""Waiting against cost as a picture: SVG, which needs no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from gpugen_server.simulate.scenario import Result
from gpugen_server.simulate.words import duration

WIDTH, HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 150, 44, 56
_COLOURS = ("#3366cc", "#dc6e0f", "#2a8f4f", "#a33ea1", "#7a6a00")
_TEXT = 'font-family="system-ui, sans-serif" font-size="12" fill="#444"'


def draw(results: Sequence[Result], title: str) -> str:
    """A line for each limit of workers, a point for each idle time."""
    frame = _Frame(max(each.cost_per_day for each in results), max(each.wait_mean for each in results))
    limits = sorted({each.max_workers for each in results})
    lines = [
        _line(frame, [each for each in results if each.max_workers == n], n, i) for i, n in enumerate(limits)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{_LEFT}" y="24" {_TEXT} font-weight="600">{escape(title)}</text>',
            *frame.axes(),
            *lines,
            "</svg>\n",
        ]
    )


class _Frame:
    """Where a cost and a wait lie in the picture; both axes begin at 0."""

    def __init__(self, cost: float, wait: float) -> None:
        self._steps = _round_step(cost), _round_step(wait)
        self._most = tuple(
            step * math.ceil(m / step) for step, m in zip(self._steps, (cost, wait), strict=True)
        )

    def x(self, cost: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * cost / self._most[0], 1)

    def y(self, wait: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * wait / self._most[1], 1)

    def axes(self) -> list[str]:
        """Grid, numbers and names."""
        right, floor = self.x(self._most[0]), self.y(0)
        found = []
        for cost in _ticks(self._steps[0], self._most[0]):
            x = self.x(cost)
            found.append(f'<path d="M{x} {self.y(self._most[1])}V{floor}" stroke="#e4e4e4"/>')
            found.append(f'<text x="{x}" y="{floor + 18}" text-anchor="middle" {_TEXT}>{cost:g}</text>')
        for wait in _ticks(self._steps[1], self._most[1]):
            y = self.y(wait)
            found.append(f'<path d="M{_LEFT} {y}H{right}" stroke="#e4e4e4"/>')
            found.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end" {_TEXT}>{wait:g}</text>')
        name = f'<text x="{_LEFT}" y="{floor + 40}" {_TEXT}>dollars a day</text>'
        side = (
            f'<text transform="translate(18 {floor}) rotate(-90)" {_TEXT}>mean wait of a task, seconds</text>'
        )
        return [*found, name, side]


def _line(frame: _Frame, results: Sequence[Result], limit: int, number: int) -> str:
    colour = _COLOURS[number % len(_COLOURS)]
    points = [(frame.x(each.cost_per_day), frame.y(each.wait_mean)) for each in results]
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>{_label(x, y, duration(each.idle), number)}'
        for (x, y), each in zip(points, results, strict=True)
    )
    key = f'<text x="{WIDTH - _RIGHT + 24}" y="{_TOP + 16 + 18 * number}" {_TEXT}>at most {limit}</text>'
    mark = f'<circle cx="{WIDTH - _RIGHT + 14}" cy="{_TOP + 12 + 18 * number}" r="4" fill="{colour}"/>'
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}{mark}{key}'


def _label(x: float, y: float, text: str, number: int) -> str:
    """Beside its point, on the other side for every second line."""
    place = f'x="{x + 6}" y="{y - 6}"' if number % 2 else f'x="{x - 6}" y="{y + 15}" text-anchor="end"'
    return f"<text {place} {_TEXT}>{text}</text>"


def _ticks(step: float, most: float) -> list[float]:
    return [round(step * number, 10) for number in range(round(most / step) + 1)]


def _round_step(most: float) -> float:
    """1, 2 or 5 times a power of ten, so that there are four to ten of them."""
    power = 10.0 ** math.floor(math.log10(most or 1.0))
    return next((part * power for part in (0.1, 0.2, 0.5, 1) if most / (part * power) <= 10), power)
