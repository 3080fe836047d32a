import pytest

from gpugen_protocol.errors import Conflict, LeaseLost, NotFound
from gpugen_server.images import accept


def find(queue, task, index=0, user="ann"):
    return queue.call(accept.find, task, user, index)


def test_an_accepted_image_is_told_with_its_own_seed(queue):
    lease = queue.submit_and_claim(seed=10, n=3)
    assert queue.accept(lease.id, 2) == []
    event = queue.events(lease.task.id)[-1]
    assert (event["type"], event["index"], event["seed"], event["sha256"]) == ("image", 2, 12, "sha")
    assert [image.index for image in queue.get(lease.task.id).images] == [2]


def test_the_same_bytes_again_change_nothing_and_their_file_is_not_needed(queue):
    lease = queue.submit_and_claim()
    queue.accept(lease.id, file="first")
    before = queue.events(lease.task.id)
    assert queue.accept(lease.id, file="second") == ["second"]
    assert queue.events(lease.task.id) == before
    assert find(queue, lease.task.id).file == "first"


def test_other_bytes_for_the_same_image_are_a_conflict(queue):
    lease = queue.submit_and_claim()
    queue.accept(lease.id)
    with pytest.raises(Conflict, match="other bytes"):
        queue.accept(lease.id, source="other", file="second")
    assert find(queue, lease.task.id).file == "f"


def test_a_new_attempt_replaces_the_image_and_gives_up_the_old_file(queue):
    first = queue.submit_and_claim()
    queue.accept(first.id, file="old")
    queue.expire(first.id)
    second = queue.claim()
    assert find(queue, first.task.id).file == "old"
    assert queue.accept(second.id, source="other", file="new") == ["old"]
    assert find(queue, first.task.id).file == "new"


def test_a_new_attempt_starts_without_the_images_of_the_last_one(queue):
    first = queue.submit_and_claim(n=2)
    queue.accept(first.id, 0, file="a")
    queue.accept(first.id, 1, file="b")
    queue.expire(first.id)
    second = queue.claim()
    assert queue.get(first.task.id).images == ()
    queue.accept(second.id, 1, file="c")
    assert [image.index for image in queue.get(first.task.id).images] == [1]
    queue.release(second.id)
    assert queue.get(first.task.id).images == ()


def test_only_files_of_known_tasks_that_are_no_image_of_them_are_orphans(queue):
    task = queue.submit_and_claim()
    folder, name = task.task.id[:5], f"{task.task.id[:5]}/{task.task.id}-0-1-{{}}.png"
    queue.accept(task.id, file=name.format("11111111"))
    orphan, strange = name.format("22222222"), f"{folder}/{folder}000000000000000000000-0-1-33333333.png"
    found = queue.call(accept.orphans, folder, [name.format("11111111"), orphan, strange])
    assert found == [orphan]


def test_a_stale_attempts_image_is_refused(queue):
    first = queue.submit_and_claim()
    queue.expire(first.id)
    queue.claim()
    with pytest.raises(LeaseLost):
        queue.accept(first.id)
    assert queue.get(first.task.id).images == ()


@pytest.mark.parametrize("index", [-1, 2, 10**6])
def test_an_image_that_nobody_asked_for_has_no_place(queue, index):
    lease = queue.submit_and_claim(n=2)
    with pytest.raises(NotFound, match="2 image"):
        queue.call(accept.expect, lease.id, queue.worker, index)


def test_an_image_is_found_by_its_owner_alone(queue):
    lease = queue.submit_and_claim(user="ann")
    queue.accept(lease.id)
    with pytest.raises(NotFound):
        find(queue, lease.task.id, user="bob")
    with pytest.raises(NotFound, match="no image 1"):
        find(queue, lease.task.id, 1)
