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


def test_a_look_at_it_is_no_write_until_half_of_its_time_is_over(database):
    def look(mine):
        return database.call(lambda store: (mine.take(store), store.value("SELECT until FROM duties"))[1])

    mine = Duty("sweep", 3600.0)
    first = look(mine)
    assert look(mine) == first
    database.call(lambda store: store.change("UPDATE duties SET until = until - 2000"))
    assert look(mine) >= first


def test_who_was_its_holder_in_a_former_life_need_not_wait(database):
    former, present = Duty("sweep"), Duty("sweep")
    database.call(former.take)
    database.call(present.seize)
    assert not database.call(former.take)
    assert database.call(present.take)


def test_it_can_be_handed_on_at_once_but_only_by_its_holder(database):
    one, two = Duty("sweep"), Duty("sweep")
    database.call(one.take)
    database.call(two.hand_on)
    assert not database.call(two.take)
    database.call(one.hand_on)
    assert database.call(two.take)
