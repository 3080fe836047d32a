"""What waits for the next post."""

from __future__ import annotations

from gpugen_protocol.events import LogReport, PhaseReport, PreviewReport, ProgressReport, Report
from gpugen_protocol.worker import MAX_REPORTS
from gpugen_worker.outbox import MAX_LINES, Outbox


def progress(step: int) -> ProgressReport:
    return ProgressReport(image=0, step=step, steps=9)


def filled(*reports: Report) -> Outbox:
    outbox = Outbox()
    for report in reports:
        outbox.add(report)
    return outbox


def test_phases_and_logs_keep_their_order_and_of_the_rest_only_the_newest_stays() -> None:
    drawing, warning, decoding = (
        PhaseReport(phase="drawing"),
        LogReport(message="a"),
        PhaseReport(phase="decoding"),
    )
    old, new = (PreviewReport(image=0, step=step, data="x") for step in (1, 2))
    outbox = filled(drawing, progress(1), old, warning, progress(2), new, decoding)
    assert outbox.take() == (drawing, warning, decoding, progress(2), new)
    assert not outbox


def test_only_what_must_not_be_lost_is_urgent() -> None:
    assert not filled(progress(1)).urgent
    assert filled(progress(1))
    assert filled(LogReport(message="a")).urgent


def test_what_did_not_arrive_goes_first_the_next_time_without_what_is_out_of_date() -> None:
    first, second = LogReport(message="1"), LogReport(message="2")
    outbox = filled(first, progress(1))
    taken = outbox.take()
    outbox.add(second)
    outbox.give_back(taken)
    assert outbox.take() == (first, second)


def test_no_post_carries_more_than_the_server_takes() -> None:
    lines = [LogReport(message=str(number)) for number in range(2 * MAX_REPORTS)]
    outbox = filled(*lines, progress(1))
    posts = []
    while outbox:
        posts.append(outbox.take())
    assert max(map(len, posts)) <= MAX_REPORTS
    assert [report for post in posts for report in post if isinstance(report, LogReport)] == lines


def test_a_flood_of_lines_while_the_server_is_away_is_cut_and_says_so() -> None:
    outbox = filled(*[LogReport(message=str(number)) for number in range(MAX_LINES + 7)])
    outbox.add(PhaseReport(phase="decoding"))
    told: list[Report] = []
    while outbox:
        told += outbox.take()
    assert [report for report in told if isinstance(report, PhaseReport)]
    lines = [report.message for report in told if isinstance(report, LogReport)]
    assert lines[:MAX_LINES] == [str(number) for number in range(MAX_LINES)]
    assert lines[MAX_LINES:] == ["7 lines were left out: there were too many."]
