from gpugen_server.queue import demand
from gpugen_server.queue.place import Kind


def test_there_is_something_to_do_until_the_last_task_is_finished(queue):
    assert not queue.call(demand.unfinished)
    lease = queue.submit_and_claim()
    assert queue.call(demand.unfinished)
    queue.fail(lease.id)
    assert not queue.call(demand.unfinished)


def test_what_is_told_to_those_that_wait_is_told_once_and_only_to_the_kinds_it_is_meant_for(queue):
    emoji, sdxl, large = queue.submit(), queue.submit(model="sdxl"), queue.submit(width=512, height=512)

    def say(*kinds):
        return queue.call(demand.tell_waiting, kinds, "starting", "starting a worker", None)

    request = queue.get(emoji).request
    kind = Kind("emoji", request.width, request.height)
    assert (say(), say(kind), say(kind)) == (0, 1, 0)
    assert queue.get(emoji).phase_text == "starting a worker"
    assert queue.events(emoji)[-1]["phase"] == "starting"
    assert [queue.get(task).phase for task in (sdxl, large)] == ["queued"] * 2
    assert say(Kind("sdxl", 1024, 1024), kind, Kind("emoji", 512, 512)) == 2


def test_tasks_are_counted_by_state(queue):
    queue.fail(queue.submit_and_claim().id)
    queue.submit()
    assert queue.call(demand.counts) == {"failed": 1, "queued": 1}
