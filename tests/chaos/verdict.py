"""Judges a history: every rule gives a sentence for each time it was broken."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from tests.chaos.history import Entry

TERMINAL = {"succeeded", "failed", "canceled"}
OK = range(200, 300)


class Case:
    """The entries of a history by kind."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_kind: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._by_kind[entry["kind"]].append(entry)
        self.tasks = {entry["task"]: entry for entry in self.of("task")}
        self.leases = {
            one["lease"]: (one["task"], one["attempt"])
            for answer in self.of("answer")
            for one in answer["leases"]
        }

    def of(self, kind: str) -> list[Entry]:
        """The entries of one kind, in order."""
        return self._by_kind[kind]

    def posts(self, *verbs: str) -> Iterator[tuple[str, Entry]]:
        """What workers posted on a lease with success: (lease, answer)."""
        for answer in self.of("answer"):
            parts = answer["path"].split("/")
            if answer["status"] in OK and len(parts) > 6 and parts[4] == "leases" and parts[6] in verbs:
                yield parts[5], answer


def violations(entries: Iterable[Entry]) -> list[str]:
    """All rules over all entries; empty when everything was kept."""
    case = Case(entries)
    return [f"{rule.__name__.upper()}: {sentence}" for rule in RULES for sentence in rule(case)]


def lost(case: Case) -> Iterator[str]:
    """Every acknowledged submit is there, and has ended."""
    for answer in case.of("submitted"):
        task = case.tasks.get(answer["task"])
        if task is None:
            yield f"{answer['task']} was acknowledged for {answer['key']} and is not in the database"
        elif task["state"] not in TERMINAL:
            yield f"{answer['task']} is still {task['state']}"


def unanswered(case: Case) -> Iterator[str]:
    """In calm weather everybody gets an answer."""
    for entry in case.of("unanswered"):
        yield f"{entry['user']} gave up: {entry['last']}"


def submitted_twice(case: Case) -> Iterator[str]:
    """One key, one task: in the answers and in the database."""
    for source in ("submitted", "task"):
        ids: dict[str, set[str]] = defaultdict(set)
        for entry in case.of(source):
            ids[entry["key"]].add(entry["task"])
        for key, tasks in ids.items():
            if len(tasks) > 1:
                yield f"{key} became {len(tasks)} tasks"


def accepted_twice(case: Case) -> Iterator[str]:
    """A task ends once: one change into a terminal state, one lease whose completion was accepted."""
    ends = Counter(change["task"] for change in case.of("change") if change["state"] in TERMINAL)
    completed: dict[str, set[str]] = defaultdict(set)
    for lease, _ in case.posts("complete"):
        completed[case.leases[lease][0]].add(lease)
    for task in case.tasks:
        if ends[task] > 1:
            yield f"{task} ended {ends[task]} times"
        if len(completed[task]) > 1:
            yield f"{task} was completed by {len(completed[task])} leases"


def stale_accepted(case: Case) -> Iterator[str]:
    """Nothing is taken from an attempt that was not the current one."""
    for lease, answer in case.posts("complete", "images", "events"):
        newer = _newer(case, lease, answer["sent"])
        if newer:
            yield f"{answer['path']} was accepted, sent when attempt {newer} was handed out already"
    for lease, _ in case.posts("complete"):
        task = case.tasks.get(case.leases[lease][0])
        if task and task["ended_lease"] != lease:
            yield f"{task['task']} accepted a completion by {lease}, but ended by {task['ended_lease']}"


def changed_after_its_end(case: Case) -> Iterator[str]:
    """A terminal state never changes; attempts only grow."""
    for change in case.of("change"):
        if change["was"] in TERMINAL:
            yield f"{change['task']} went from {change['was']} to {change['state']}"
        if change["attempt"] < change["was_attempt"]:
            yield f"{change['task']} went from attempt {change['was_attempt']} to {change['attempt']}"


def cancel_ignored(case: Case) -> Iterator[str]:
    """Whoever asked a task to stop before it ended does not get a success."""
    for asked in case.of("asked to stop"):
        state = case.tasks.get(asked["task"], asked)["state"]
        if state == "succeeded" and asked["state"] != "succeeded":
            yield f"{asked['task']} was {asked['state']} when asked to stop and is {state}"


def images_mixed(case: Case) -> Iterator[str]:
    """A success has all its images, from the attempt that ended it."""
    attempts: dict[str, list[int]] = defaultdict(list)
    for image in case.of("image"):
        attempts[image["task"]].append(image["attempt"])
    for name, task in case.tasks.items():
        if task["state"] == "succeeded" and attempts[name] != [task["attempt"]] * task["n"]:
            yield f"{name}, attempt {task['attempt']}, has images of attempts {attempts[name]}"


def events_wrong(case: Case) -> Iterator[str]:
    """Numbers without holes; the terminal state is told once, last, and is the one in the database."""
    logs: dict[str, list[Entry]] = defaultdict(list)
    for event in case.of("event"):
        logs[event["task"]].append(event)
    for name, task in case.tasks.items():
        told = sorted(logs[name], key=lambda event: event["seq"])
        if [event["seq"] for event in told] != list(range(1, len(told) + 1)):
            yield f"{name} has events {[event['seq'] for event in told]}"
        ends = [event["seq"] for event in told if event["type"] == "state" and event["state"] in TERMINAL]
        if ends != [len(told)] or told[-1]["state"] != task["state"]:
            yield f"{name} is {task['state']} and told its end in {ends} of {len(told)} events"


def refused(case: Case) -> Iterator[str]:
    """Nobody did anything wrong, so nothing but an outage is answered to users; 500 to nobody."""
    for entry in case.of("refused"):
        yield f"a user was told {entry['code']}: {entry['message']}"
    for answer in case.of("answer"):
        if answer["status"] == 500:
            yield f"{answer['method']} {answer['path']} was answered with 500"


def server_ended(case: Case) -> Iterator[str]:
    """The server ends only when it is killed, or told to."""
    for entry in case.of("ended"):
        if entry["part"] == "server" and entry["code"] != 0:
            yield f"the server ended by itself with {entry['code']}"


RULES: tuple[Callable[[Case], Iterator[str]], ...] = (
    lost,
    unanswered,
    submitted_twice,
    accepted_twice,
    stale_accepted,
    changed_after_its_end,
    cancel_ignored,
    images_mixed,
    events_wrong,
    refused,
    server_ended,
)


def summary(entries: Iterable[Entry]) -> Counter[str]:
    """How much happened: a round in which nothing went wrong proves nothing."""
    case = Case(entries)
    counts = Counter(f"{deed['part'].rstrip('0123456789')}: {deed['deed']}" for deed in case.of("deed"))
    counts.update(f"request: {answer['fault']}" for answer in case.of("answer") if answer["fault"] != "none")
    counts.update(f"task: {task['state']}" for task in case.tasks.values())
    counts["acknowledged"] = len({answer["key"] for answer in case.of("submitted")})
    counts["attempts"] = len(case.leases)
    counts["lease lost"] = sum(
        1 for answer in case.of("answer") if answer["status"] == 409 and "/leases/" in answer["path"]
    )
    return counts


def _newer(case: Case, lease: str, sent: int) -> int | None:
    """The attempt after that of `lease`, if it had been handed out by `sent`."""
    task, attempt = case.leases[lease]
    known = itertools.takewhile(lambda answer: answer["at"] < sent, case.of("answer"))
    handed = [one["attempt"] for answer in known for one in answer["leases"] if one["task"] == task]
    return max((number for number in handed if number > attempt), default=None)
