import pytest

from gpugen_protocol.errors import InvalidRequest, LeaseLost
from gpugen_protocol.events import LogReport, PhaseReport, PreviewReport, ProgressReport
from gpugen_server.queue import cancel, report


@pytest.fixture
def tell(queue):
    def tell(lease, *reports, worker=None):
        outbox = []

        def say(store):
            held = report.report(store, lease, worker or queue.worker, reports, 30.0)
            outbox.extend(store.outbox)
            return held

        return queue.call(say), outbox

    return tell


def test_phases_and_logs_are_numbered_and_change_the_task(queue, tell):
    lease = queue.submit_and_claim()
    _, outbox = tell(lease.id, PhaseReport(phase="loading", text="emoji"), LogReport(message="hello"))
    task = queue.get(lease.task.id)
    assert (task.phase, task.phase_text) == ("loading", "emoji")
    assert [entry.seq for entry in outbox] == [4, 5]
    assert queue.events(task.id)[-1]["message"] == "hello"


def test_progress_and_previews_are_told_but_not_stored(queue, tell):
    lease = queue.submit_and_claim()
    before = len(queue.events(lease.task.id))
    _, outbox = tell(
        lease.id, ProgressReport(image=0, step=3, steps=20), PreviewReport(image=0, step=3, data="AAAA")
    )
    assert [(entry.kind, entry.seq) for entry in outbox] == [("progress", 0), ("preview", 0)]
    assert len(queue.events(lease.task.id)) == before


def test_progress_shows_in_the_task_once_the_lease_is_renewed(queue, tell):
    lease = queue.submit_and_claim()
    queue.call(lambda store: store.change("UPDATE tasks SET lease_until = lease_until - 5"))
    tell(lease.id, ProgressReport(image=0, step=3, steps=20, seconds_per_step=0.5))
    assert queue.get(lease.task.id).progress.step == 3


def test_control_characters_do_not_reach_the_log(queue, tell):
    lease = queue.submit_and_claim()
    tell(lease.id, LogReport(message="\x1b[31mred\x1b[0m\x00\x07 \t ok"))
    assert queue.events(lease.task.id)[-1]["message"] == "red \t ok"


@pytest.mark.parametrize("phase", ["queued", "canceling", "done"])
def test_a_worker_may_not_say_what_only_the_server_knows(queue, tell, phase):
    lease = queue.submit_and_claim()
    with pytest.raises(InvalidRequest) as refused:
        tell(lease.id, LogReport(message="x"), PhaseReport(phase=phase))
    assert refused.value.errors[0].path == "events[1].phase"
    assert queue.states(lease.task.id) == ["queued", "running"]


def test_progress_on_an_image_that_nobody_asked_for_is_refused(queue, tell):
    lease = queue.submit_and_claim(n=2)
    with pytest.raises(InvalidRequest, match="2 image"):
        tell(lease.id, ProgressReport(image=2, step=1, steps=20))


def test_a_task_asked_to_stop_says_so_on_every_answer_and_stays_canceling(queue, tell):
    lease = queue.submit_and_claim()
    assert tell(lease.id)[0].cancel is False
    queue.call(cancel.cancel, lease.task.id, None)
    held, _ = tell(lease.id, PhaseReport(phase="drawing"))
    assert held.cancel is True
    assert queue.get(lease.task.id).phase == "canceling"


def test_a_stale_attempt_cannot_report(queue, tell):
    lease = queue.submit_and_claim()
    queue.expire(lease.id)
    queue.claim()
    with pytest.raises(LeaseLost):
        tell(lease.id, LogReport(message="too late"))


def test_a_worker_says_nothing_of_a_wait_and_nothing_that_steers_a_terminal(queue, tell):
    lease = queue.submit_and_claim()
    facts = {"done": 1, "of": "\x1b[31mred\u202e\nx", "eta_seconds": "soon", "position": "<b>"}
    tell(lease.id, PhaseReport(phase="loading", text="one\nphase done", data=facts))
    told = queue.events(lease.task.id)[-1]
    assert (told["text"], told["data"]) == ("one phase done", {"done": 1, "of": "red x"})
