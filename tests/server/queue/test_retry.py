import pytest

from gpugen_protocol.errors import Conflict, NotFound, UnknownModel
from gpugen_protocol.models import Registry, parse_registry
from gpugen_server.queue import retry
from gpugen_server.queue.retry import Terms

REGISTRY = parse_registry({})
TERMS = Terms(REGISTRY, 3, 0.0)


def test_a_retry_is_a_new_task_with_the_same_request_that_names_the_old(queue):
    lease = queue.submit_and_claim(prompt="a dog", seed=9, n=3, priority=-4, group="g")
    queue.fail(lease.id)
    old = queue.get(lease.task.id)
    new = queue.get(queue.call(retry.retry, old.id, "ann", TERMS))
    assert new.id != old.id
    assert (new.retry_of, new.request, new.priority, new.group) == (old.id, old.request, -4, "g")
    assert (new.state, new.attempt, new.user) == ("queued", 0, "ann")


def test_a_task_that_still_runs_cannot_be_retried(queue):
    with pytest.raises(Conflict, match="queued"):
        queue.call(retry.retry, queue.submit(), "ann", TERMS)


def test_others_tasks_cannot_be_retried(queue):
    with pytest.raises(NotFound):
        queue.call(retry.retry, queue.submit(user="ann"), "bob", TERMS)


def test_an_admins_retry_stays_its_users_task(queue):
    lease = queue.submit_and_claim(user="ann")
    queue.fail(lease.id)
    assert queue.get(queue.call(retry.retry, lease.task.id, None, TERMS)).user == "ann"


def test_only_an_admins_retry_keeps_a_raised_priority(queue):
    lease = queue.submit_and_claim(user="ann", priority=7)
    queue.fail(lease.id)
    assert queue.get(queue.call(retry.retry, lease.task.id, "ann", TERMS)).priority == 0
    assert queue.get(queue.call(retry.retry, lease.task.id, None, TERMS)).priority == 7


def test_a_model_that_left_the_registry_cannot_be_retried(queue):
    lease = queue.submit_and_claim(model="sdxl")
    queue.fail(lease.id)
    smaller = Registry(model for model in REGISTRY.models.values() if model.name != "sdxl")
    with pytest.raises(UnknownModel, match="sdxl"):
        queue.call(retry.retry, lease.task.id, "ann", Terms(smaller, 3, 0.0))
