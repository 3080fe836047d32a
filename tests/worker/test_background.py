"""Importing while claiming."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest
from tests.worker.recording import Recording
from tests.worker.scripted_server import REQUEST

from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.background import BackgroundGenerator
from gpugen_worker.fake import FakeGenerator
from gpugen_worker.generator import DrawingFailed, Interrupted

A_REQUEST = ResolvedRequest(**REQUEST)


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


def after(gate: threading.Event) -> Callable[[], FakeGenerator]:
    def make() -> FakeGenerator:
        assert gate.wait(10)
        return FakeGenerator(("emoji",), 0.001)

    return make


def test_it_offers_its_models_at_once_and_draws_when_the_import_is_done(gate: threading.Event) -> None:
    generator, seen = BackgroundGenerator(("emoji",), after(gate)), Recording()
    assert (generator.models, generator.loaded) == (("emoji",), ())
    images = generator.draw(A_REQUEST, seen)
    threading.Timer(0.2, gate.set).start()
    assert next(images).size == (64, 64)
    assert seen.phases[0] == ("loading", "Starting PyTorch")
    assert generator.loaded == ("emoji",)


def test_libraries_that_do_not_load_are_told_with_what_to_do() -> None:
    def make() -> FakeGenerator:
        raise ImportError("libtorch.so is not there")

    generator = BackgroundGenerator(("emoji",), make)
    with pytest.raises(DrawingFailed, match=r"libtorch\.so") as caught:
        next(generator.draw(A_REQUEST, Recording()))
    assert "gpugen[worker]" in caught.value.hint
    assert generator.loaded == ()


def test_what_is_no_ordinary_exception_does_not_keep_anybody_waiting() -> None:
    def make() -> FakeGenerator:
        raise SystemExit("a library gave up")

    with pytest.raises(DrawingFailed, match="a library gave up"):
        next(BackgroundGenerator(("emoji",), make).draw(A_REQUEST, Recording()))


def test_a_task_canceled_during_the_import_does_not_wait_for_it(gate: threading.Event) -> None:
    generator = BackgroundGenerator(("emoji",), after(gate))
    with pytest.raises(Interrupted):
        next(generator.draw(A_REQUEST, Recording(stop_after=0)))
    gate.set()


def test_what_can_be_done_meanwhile_is_done_for_the_model_that_was_asked_for(gate: threading.Event) -> None:
    begun: queue.SimpleQueue[str] = queue.SimpleQueue()
    generator = BackgroundGenerator(("emoji",), after(gate), begun.put)
    images = generator.draw(A_REQUEST, Recording())
    threading.Thread(target=next, args=(images,), daemon=True).start()
    assert begun.get(timeout=10) == "emoji"  # the gate is closed: nothing was made yet
    gate.set()
