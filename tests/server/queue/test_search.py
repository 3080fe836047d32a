import pytest

from gpugen_protocol.errors import InvalidRequest, NotFound
from gpugen_server.queue import search
from gpugen_server.queue.search import Filter


@pytest.fixture
def found(queue):
    def found(**wanted):
        page = queue.call(search.listing, Filter(**{"user": "ann", **wanted}), 0.0)
        return [task.id for task in page.tasks]

    return found


def test_tasks_are_listed_newest_first_and_only_ones_own(queue, found):
    mine = [queue.submit(user="ann") for _ in range(3)]
    theirs = queue.submit(user="bob")
    assert found() == mine[::-1]
    assert found(user=None)[0] == theirs


def test_pages_join_without_holes_or_doubles(queue):
    submitted = [queue.submit() for _ in range(7)]
    pages, cursor = [], None
    while True:
        page = queue.call(search.listing, Filter(user="ann", limit=3, cursor=cursor), 0.0)
        pages.append([task.id for task in page.tasks])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [task for page in pages for task in page] == submitted[::-1]


def test_filters_narrow_the_list(queue, found):
    cat = queue.submit(prompt="A red Cat")
    dog = queue.submit(prompt="100% dog", model="sdxl", group="g")
    queue.fail(queue.claim().id)
    assert found(state="failed") == [cat]
    assert found(state="queued,failed") == [dog, cat]
    assert found(model="sdxl") == [dog]
    assert found(group="g") == [dog]
    assert found(q="red cat") == [cat]
    assert found(q="%") == [dog]


def test_the_places_in_a_list_are_those_of_the_whole_queue(queue):
    queue.submit(user="bob")
    queue.submit(user="ann")
    page = queue.call(search.listing, Filter(user="ann"), 0.0)
    assert page.tasks[0].queue_position == 2


@pytest.mark.parametrize(
    "wanted", [{"state": "lost"}, {"cursor": "x"}, {"cursor": "-1"}, {"cursor": "9" * 30}]
)
def test_nonsense_is_refused_by_name(found, wanted):
    with pytest.raises(InvalidRequest) as refused:
        found(**wanted)
    assert refused.value.errors[0].path in wanted


def test_others_tasks_look_like_none(queue):
    task = queue.submit(user="ann")
    with pytest.raises(NotFound) as theirs:
        queue.call(search.get, task, "bob", 0.0)
    with pytest.raises(NotFound) as nobodys:
        queue.call(search.get, "0" * 26, "bob", 0.0)
    assert theirs.value.message.replace(task, "") == nobodys.value.message.replace("0" * 26, "")


def test_active_tasks_are_the_queued_and_the_running(queue):
    running = queue.submit_and_claim().task.id
    queued = queue.submit()
    queue.submit(user="bob")
    assert queue.call(search.active, "ann") == [running, queued]
    assert len(queue.call(search.active, None)) == 3
