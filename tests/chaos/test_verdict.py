"""Every rule of the verdict, broken by hand: what finds nothing here would find nothing in a round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.chaos import verdict
from tests.chaos.history import Entry

FIRST, SECOND = "task1-1-aa", "task1-2-bb"


def answer(lease: str, verb: str, sent: int, status: int = 200, **fields: Any) -> Entry:
    path = f"/api/v1/worker/leases/{lease}/{verb}"
    return {
        "kind": "answer", "method": "POST", "path": path, "status": status, "sent": sent, "fault": "none",
        "leases": [], **fields,
    }  # fmt: skip


def claimed(lease: str, attempt: int) -> Entry:
    given = [{"lease": lease, "task": "task1", "attempt": attempt}]
    return answer("", "", 0, path="/api/v1/worker/claims", leases=given)


def change(was: str, state: str, attempt: int, before: int = 0) -> Entry:
    entry: Entry = {"kind": "change", "task": "task1", "was": was, "state": state}
    return {**entry, "was_attempt": before, "attempt": attempt}


def told(seq: int, state: str) -> Entry:
    return {"kind": "event", "task": "task1", "seq": seq, "type": "state", "state": state}


def a_good_history() -> list[Entry]:
    """A task whose first attempt was lost and whose second one succeeded."""
    entries: list[Entry] = [
        {"kind": "submitted", "key": "key1", "task": "task1"},
        claimed(FIRST, 1),
        claimed(SECOND, 2),
        answer(FIRST, "complete", 3, 409),
        answer(SECOND, "complete", 4),
        answer(SECOND, "complete", 5),  # again, after a lost answer
        {"kind": "asked to stop", "task": "task1", "state": "succeeded"},
        {
            "kind": "task", "task": "task1", "key": "key1", "state": "succeeded",
            "attempt": 2, "n": 1, "ended_lease": SECOND,
        },
        change("queued", "running", 1),
        change("running", "queued", 1, 1),
        change("queued", "running", 2, 1),
        change("running", "succeeded", 2, 2),
        {"kind": "image", "task": "task1", "idx": 0, "attempt": 2},
        told(1, "queued"),
        told(2, "succeeded"),
    ]  # fmt: skip
    return entries


def judged(entries: list[Entry]) -> list[str]:
    return verdict.violations({**entry, "at": at} for at, entry in enumerate(entries))


def without(kind: str) -> Callable[[list[Entry]], list[Entry]]:
    return lambda entries: [entry for entry in entries if entry["kind"] != kind]


def with_more(*more: Entry) -> Callable[[list[Entry]], list[Entry]]:
    return lambda entries: [*entries, *more]


def with_task(**fields: Any) -> Callable[[list[Entry]], list[Entry]]:
    return lambda entries: [{**entry, **(fields if entry["kind"] == "task" else {})} for entry in entries]


def test_a_good_history_breaks_no_rule() -> None:
    assert judged(a_good_history()) == []


@pytest.mark.parametrize(
    ("spoil", "rule", "words"),
    [
        (without("task"), "LOST", "is not in the database"),
        (with_task(state="running"), "LOST", "is still running"),
        (with_more({"kind": "unanswered", "user": "ann", "last": "no"}), "UNANSWERED", "gave up"),
        (with_more({"kind": "submitted", "key": "key1", "task": "task2"}), "SUBMITTED_TWICE", "2 tasks"),
        (with_more(change("running", "succeeded", 2, 2)), "ACCEPTED_TWICE", "ended 2 times"),
        (with_more(answer(FIRST, "complete", 1)), "ACCEPTED_TWICE", "by 2 leases"),
        (with_more(answer(FIRST, "complete", 1)), "STALE_ACCEPTED", f"but ended by {SECOND}"),
        (with_more(answer(FIRST, "images", 9)), "STALE_ACCEPTED", "attempt 2 was handed out"),
        (with_more(answer(FIRST, "events", 9)), "STALE_ACCEPTED", "attempt 2 was handed out"),
        (with_more(change("succeeded", "queued", 2, 2)), "CHANGED_AFTER_ITS_END", "succeeded to queued"),
        (with_more(change("queued", "running", 1, 2)), "CHANGED_AFTER_ITS_END", "attempt 2 to 1"),
        (
            with_more({"kind": "asked to stop", "task": "task1", "state": "running"}),
            "CANCEL_IGNORED",
            "was running when asked to stop and is succeeded",
        ),
        (with_task(n=2), "IMAGES_MIXED", "has images of attempts [2]"),
        (with_task(attempt=1), "IMAGES_MIXED", "has images of attempts [2]"),
        (with_more(told(4, "succeeded")), "EVENTS_WRONG", "[1, 2, 4]"),
        (with_more(told(3, "succeeded")), "EVENTS_WRONG", "in [2, 3] of 3 events"),
        (with_more(told(3, "queued")), "EVENTS_WRONG", "in [2] of 3 events"),
        (with_task(state="failed"), "EVENTS_WRONG", "is failed and told its end in [2]"),
        (with_more({"kind": "refused", "code": "conflict", "message": "no"}), "REFUSED", "conflict"),
        (with_more(answer(SECOND, "fail", 9, 500)), "REFUSED", "500"),
        (with_more({"kind": "ended", "part": "server", "code": 1}), "SERVER_ENDED", "by itself"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(spoil: Callable[[list[Entry]], list[Entry]], rule: str, words: str) -> None:
    sentences = [one for one in judged(spoil(a_good_history())) if one.startswith(f"{rule}: ")]
    assert any(words in one for one in sentences), sentences


def test_a_stale_post_that_left_before_the_newer_attempt_was_known_may_be_accepted() -> None:
    assert judged([*a_good_history(), answer(FIRST, "events", 2)]) == []
