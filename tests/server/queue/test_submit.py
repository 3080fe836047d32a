import pytest

from gpugen_protocol.errors import IdempotencyConflict


def test_a_submitted_task_is_queued_and_says_what_it_waits_for(queue):
    task = queue.submit()
    assert [(event["type"], event["seq"]) for event in queue.events(task)] == [("state", 1), ("phase", 2)]
    assert queue.events(task)[1]["text"] == "next in line"
    assert queue.get(task).queue_position == 1


def test_the_same_key_and_body_give_the_same_task(queue):
    first = queue.try_submit(key="k")
    assert queue.try_submit(key="k") == (first[0], False)
    assert first[1] is True


def test_the_same_key_with_another_body_is_a_conflict_that_names_the_task(queue):
    task = queue.submit(key="k")
    with pytest.raises(IdempotencyConflict, match=task):
        queue.submit(key="k", prompt="a dog")


def test_a_key_belongs_to_its_user(queue):
    assert queue.submit(key="k", user="ann") != queue.submit(key="k", user="bob")


def test_tasks_without_a_key_are_all_different(queue):
    assert queue.submit() != queue.submit()


def test_the_request_is_stored_with_every_blank_filled(queue):
    request = queue.get(queue.submit(prompt="x\u0000y \U0001f600")).request
    assert request.prompt == "x\u0000y \U0001f600"
    assert (request.model, request.width, request.seed) == ("emoji", 128, 1)
