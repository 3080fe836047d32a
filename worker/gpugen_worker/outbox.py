"""What waits to be told to the server: phases and log lines in order, of the rest only the newest."""

from __future__ import annotations

from gpugen_protocol.events import LogReport, PreviewReport, ProgressReport, Report
from gpugen_protocol.worker import MAX_REPORTS

MAX_LINES = 1000  # that wait: while the server is away the drawing goes on, and may talk a lot


class Outbox:
    """Reports until the next post."""

    def __init__(self) -> None:
        self._lines: list[Report] = []
        self._dropped = 0
        self._progress: ProgressReport | None = None
        self._preview: PreviewReport | None = None

    def __bool__(self) -> bool:
        return bool(self._lines or self._progress or self._preview)

    @property
    def urgent(self) -> bool:
        """Whether something waits that must not be late or lost."""
        return bool(self._lines)

    def add(self, report: Report) -> None:
        """Keep `report`; a newer progress or preview takes the place of an older one."""
        if isinstance(report, ProgressReport):
            self._progress = report
        elif isinstance(report, PreviewReport):
            self._preview = report
        elif isinstance(report, LogReport) and len(self._lines) >= MAX_LINES:
            self._dropped += 1
        else:
            self._lines.append(report)

    def take(self) -> tuple[Report, ...]:
        """As much as one post may carry."""
        room = MAX_REPORTS - 2
        live = tuple(report for report in (self._progress, self._preview) if report is not None)
        lines, self._lines = self._lines[:room], self._lines[room:]
        if self._dropped and not self._lines:
            self._lines.append(
                LogReport(message=f"{self._dropped} lines were left out: there were too many.")
            )
            self._dropped = 0
        self._progress = self._preview = None
        return (*lines, *live)

    def give_back(self, reports: tuple[Report, ...]) -> None:
        """The post did not arrive: keep its lines for the next one; what was live is out of date."""
        lines = [report for report in reports if not isinstance(report, ProgressReport | PreviewReport)]
        self._lines = lines + self._lines
