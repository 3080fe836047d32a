from gpugen_protocol.events import ProgressReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion


def test_a_task_goes_from_submit_to_succeeded_with_its_image(server, tasks, worker_api, png):
    task = tasks.submit(TaskRequest(prompt="a cat", width=64, height=64, seed=7))
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    worker_api.report(lease.id, (ProgressReport(image=0, step=1, steps=20),))
    worker_api.upload(lease.id, 0, png(64, 64))
    assert worker_api.complete(lease.id, Completion(drawing_seconds=0.5)) == ()
    done = tasks.get(task.id)
    assert done.state == "succeeded"
    assert [image.seed for image in done.images] == [7]
    assert tasks.image(task.id, 0).startswith(b"\x89PNG")
    assert [(e.seq, e.__struct_config__.tag) for e in tasks.events(task.id).events] == [
        (1, "state"), (2, "phase"), (3, "state"), (4, "image"), (5, "state"),
    ]
