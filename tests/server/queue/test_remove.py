import pytest

from gpugen_protocol.errors import Conflict, NotFound
from gpugen_server.queue import remove, trash


def test_a_removed_task_is_gone_with_its_events_and_names_its_files(queue):
    lease = queue.submit_and_claim(n=2)
    queue.accept(lease.id, 0, file="a")
    queue.accept(lease.id, 1, file="b")
    queue.complete(lease.id)
    assert sorted(queue.call(remove.remove, lease.task.id, "ann")) == ["a", "b"]
    with pytest.raises(NotFound):
        queue.get(lease.task.id)
    assert queue.call(lambda store: store.rows("SELECT * FROM events")) == []


def test_files_are_in_the_trash_until_the_store_has_dropped_them(queue):
    lease = queue.submit_and_claim(n=2)
    queue.accept(lease.id, 0, file="a")
    queue.accept(lease.id, 1, file="b")
    queue.complete(lease.id)
    queue.call(remove.remove, lease.task.id, "ann")
    assert queue.call(trash.left) == []  # whoever removed the task is just about to drop them
    queue.call(lambda store: store.change("UPDATE trash SET since = since - 61"))
    queue.call(trash.gone, ["a"])
    assert queue.call(trash.left) == ["b"]


def test_a_task_that_is_not_finished_stays(queue):
    with pytest.raises(Conflict):
        queue.call(remove.remove, queue.submit(), "ann")


def test_others_tasks_cannot_be_removed(queue):
    lease = queue.submit_and_claim(user="ann")
    queue.fail(lease.id)
    with pytest.raises(NotFound):
        queue.call(remove.remove, lease.task.id, "bob")
