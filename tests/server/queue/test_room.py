from gpugen_server.queue import room
from gpugen_server.queue.workers import LiveWorker


def test_of_many_workers_the_largest_are_named_and_the_others_counted():
    workers = [LiveWorker(f"w{n}", (), memory_bytes=n * 10**9, name=f"gpu-{n}") for n in range(1, 6)]
    assert room.limits(workers, 40 * 10**9, 1) == (
        "gpu-5 has 5 GB, gpu-4 has 4 GB, gpu-3 has 3 GB and 2 more no larger"
    )


def test_a_need_of_memory_that_is_not_known_is_not_named():
    assert room.thing("sdxl", 64, 32, 0) == "64x32 with sdxl"
    assert room.thing("sdxl", 64, 32, 25769803776) == "64x32 with sdxl, some 25.77 GB"


def test_names_are_joined_as_one_would_say_them():
    workers = [LiveWorker(name, (), name=name) for name in "hgfedcba"]
    assert room.names(workers[-1:]) == "a"
    assert room.names(workers[-2:]) == "a and b"
    assert room.names(workers) == "a, b, c and 5 more"
