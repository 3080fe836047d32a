"""What one of several servers does for all."""

from gpugen_server.queue import duty
from gpugen_server.queue.duty import Duty


def test_one_holds_it_until_it_falls_silent(database):
    one, two = Duty("sweep"), Duty("sweep")
    assert database.call(one.take)
    assert database.call(one.take)
    assert not database.call(two.take)
    assert database.call(Duty("other").take)
    database.call(lambda store: store.change("UPDATE duties SET until = 1"))
    assert not database.call(duty.held, "sweep")
    assert database.call(two.take)
    assert not database.call(one.take)
    assert database.call(duty.held, "sweep")


def test_it_can_be_handed_on_at_once_but_only_by_its_holder(database):
    one, two = Duty("sweep"), Duty("sweep")
    database.call(one.take)
    database.call(two.hand_on)
    assert not database.call(two.take)
    database.call(one.hand_on)
    assert database.call(two.take)
