from gpugen_server.events.entry import Entry
from gpugen_server.events.hub import Hub


def test_what_another_process_queued_or_numbered_is_passed_on_and_what_this_one_did_it_knows_already():
    calls = []
    hub = Hub(lambda: calls.append("queued"), calls.append)
    entry = Entry("task", "ann", 1, "state", b"{}", "queued")
    hub.deliver([entry])
    assert calls == []
    hub.hear([entry])
    assert calls == ["queued", "task"]
