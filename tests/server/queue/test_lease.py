import pytest

from gpugen_protocol.errors import LeaseLost
from gpugen_server.queue import lease as leases


def lease_until(queue, lease):
    return queue.hold(lease).lease_until


def test_a_lease_is_held_by_its_own_worker_alone(queue):
    lease = queue.submit_and_claim()
    assert queue.hold(lease.id).task.id == lease.task.id
    with pytest.raises(LeaseLost):
        queue.hold(lease.id, queue.new_worker())


@pytest.mark.parametrize("name", ["", "nonsense", "0" * 26, "' OR 1=1 --", "\u0000-1-a"])
def test_a_name_that_is_no_lease_is_a_lost_one(queue, name):
    with pytest.raises(LeaseLost):
        queue.hold(name)


def test_a_renewal_moves_the_end_of_an_ageing_lease(queue):
    lease = queue.submit_and_claim()
    queue.call(lambda store: store.change("UPDATE tasks SET lease_until = lease_until - 10"))
    before = lease_until(queue, lease.id)
    queue.call(lambda store: leases.renew(store, leases.hold(store, lease.id, queue.worker), 30.0))
    assert lease_until(queue, lease.id) > before + 9


def test_a_fresh_lease_costs_no_write(queue):
    lease = queue.submit_and_claim()
    before = lease_until(queue, lease.id)
    queue.call(lambda store: leases.renew(store, leases.hold(store, lease.id, queue.worker), 30.0))
    assert lease_until(queue, lease.id) == before
