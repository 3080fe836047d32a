import pytest

from gpugen_protocol.errors import Conflict
from gpugen_protocol.events import LogEvent
from gpugen_server.events import log
from gpugen_server.queue import records


def say(queue, task, message="hello"):
    def say(store):
        log.append(store, records.find(store, task, None).key, LogEvent, message=message)
        return store.outbox[-1]

    return queue.call(say)


def test_numbers_go_up_by_one_within_each_task(queue):
    one, two = queue.submit(), queue.submit()
    assert [say(queue, task).seq for task in (one, two, one, two)] == [3, 3, 4, 4]


def test_what_is_told_is_what_is_stored(queue):
    task = queue.submit()
    entry = say(queue, task)
    assert queue.call(search_body, task) == entry.body
    assert (entry.task, entry.user, entry.kind, entry.state) == (task, "ann", "log", None)


def search_body(store, task):
    return log.read(store, records.find(store, task, None).num, 2)[0][1]


def test_nothing_can_follow_the_terminal_state(queue):
    lease = queue.submit_and_claim()
    queue.fail(lease.id)
    with pytest.raises(Conflict, match="finished"):
        say(queue, lease.task.id)
    assert queue.events(lease.task.id)[-1]["state"] == "failed"


def test_a_number_is_not_used_up_by_a_transaction_that_fails(queue):
    task = queue.submit()

    def say_and_break(store):
        log.append(store, records.find(store, task, None).key, LogEvent, message="lost")
        raise Conflict

    with pytest.raises(Conflict):
        queue.call(say_and_break)
    assert say(queue, task).seq == 3


def test_reading_begins_after_the_asked_number_and_stops_at_the_limit(queue):
    task = queue.submit()
    for _ in range(5):
        say(queue, task)
    num = queue.call(records.find, task, None).num
    assert [seq for seq, _ in queue.call(log.read, num, 2)] == [3, 4, 5, 6, 7]
    assert [seq for seq, _ in queue.call(log.read, num, 2, 2)] == [3, 4]
    assert queue.call(log.read, num, 99) == []
