from gpugen_server.queue import demand


def test_there_is_something_to_do_until_the_last_task_is_finished(queue):
    assert not queue.call(demand.unfinished)
    lease = queue.submit_and_claim()
    assert queue.call(demand.unfinished)
    queue.fail(lease.id)
    assert not queue.call(demand.unfinished)


def test_what_is_told_to_those_that_wait_is_told_once(queue):
    emoji, sdxl = queue.submit(), queue.submit(model="sdxl")

    def say():
        return queue.call(demand.tell_waiting, frozenset({"emoji"}), "starting", "starting a worker", None)

    assert (say(), say()) == (1, 0)
    assert queue.get(emoji).phase_text == "starting a worker"
    assert queue.events(emoji)[-1]["phase"] == "starting"
    assert queue.get(sdxl).phase == "queued"


def test_tasks_are_counted_by_state(queue):
    queue.fail(queue.submit_and_claim().id)
    queue.submit()
    assert queue.call(demand.counts) == {"failed": 1, "queued": 1}
