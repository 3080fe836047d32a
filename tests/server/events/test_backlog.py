from gpugen_server.events.backlog import Backlog
from gpugen_server.events.entry import Entry


def numbered(task, seq):
    return Entry(task, "ann", seq, "log", b"line %d" % seq)


def live(task, kind, body):
    return Entry(task, "ann", 0, kind, body)


def test_numbered_entries_are_all_kept_and_come_out_in_order():
    backlog = Backlog()
    entries = [numbered(task, seq) for seq in range(1, 50) for task in ("a", "b")]
    backlog.add(entries[:30])
    backlog.add(entries[30:])
    assert len(backlog) == 98
    assert backlog.take(60) + backlog.take(60) == entries
    assert backlog.take(60) == []


def test_of_live_entries_of_one_task_and_kind_the_newest_waits_behind_what_came_before_it():
    backlog = Backlog()
    backlog.add([live("a", "preview", b"0"), numbered("a", 1), live("b", "preview", b"other")])
    backlog.add(live("a", "preview", b"%d" % step) for step in range(1, 100))
    backlog.add([live("a", "progress", b"p")])
    assert [entry.body for entry in backlog.take(10)] == [b"line 1", b"other", b"99", b"p"]


def test_an_entry_that_was_taken_is_not_replaced_any_more():
    backlog = Backlog()
    backlog.add([live("a", "preview", b"1")])
    (taken,) = backlog.take(1)
    backlog.add([live("a", "preview", b"2")])
    assert [taken.body, *(entry.body for entry in backlog.take(1))] == [b"1", b"2"]
