"""The live card: how much it says, and what it leaves behind."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from comm.base_comm import BaseComm
from ipywidgets.widgets.widget import _instances

from gpugen import card as module
from gpugen.card import Card
from gpugen.ending import Ending
from gpugen.status import Status
from gpugen_protocol.errors import TaskCanceled
from gpugen_protocol.events import ImageEvent, PreviewEvent, ProgressEvent
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.task import Task

COMMON: dict[str, Any] = {"task": "t", "at": "2026-01-01T00:00:00Z"}


def status(n: int = 1, width: int = 128, height: int = 128) -> Status:
    request = ResolvedRequest(
        prompt="a <b>cat</b>",
        model="emoji",
        width=width,
        height=height,
        steps=20,
        guidance=3.0,
        seed=7,
        n=n,
        scheduler="ddim",
    )
    return Status(Task(id="t", state="queued", phase="queued", request=request, user="local", created_at="x"))


def preview(step: int) -> PreviewEvent:
    return PreviewEvent(**COMMON, image=0, step=step, data=base64.b64encode(b"\xff\xd8%d" % step).decode())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the card takes for the time: the only entry."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def opened(shell: Any) -> Callable[..., Card]:
    """`opened(status)`: a card on display."""

    def make(what: Status, cancel: Callable[[], None] = lambda: None) -> Card:
        found = Card(cancel)
        found.open(what, waits=True)
        return found

    return make


@pytest.mark.parametrize("step", ["GridBox", "FloatProgress", "VBox"])
def test_one_that_was_interrupted_while_it_was_built_ends_like_any_other(
    shell: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.w, step, interrupt)
    card, now = Card(lambda: None), status()
    with pytest.raises(KeyboardInterrupt):
        card.open(now, waits=True)
    card.draw(now)
    card.finish(Ending(task=now.task, pngs=(), error=TaskCanceled("Interrupted."), elapsed=1.0))
    assert shell.display_pub.outputs


def test_it_sends_at_most_ten_messages_a_second(
    opened: Any, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = status()
    card = opened(now)
    sent: Counter[int] = Counter()
    monkeypatch.setattr(
        BaseComm, "publish_msg", lambda self, *_, **__: sent.update([int(clock[0])]), raising=False
    )
    monkeypatch.setattr(type(card._bar.comm), "publish_msg", BaseComm.publish_msg)
    for tick in range(1000):  # ten seconds in which everything changes all the time
        clock[0] = 100 + tick / 100
        now.apply(ProgressEvent(**COMMON, image=0, step=tick // 50, steps=20, seconds_per_step=tick / 1000))
        now.apply(preview(tick))
        card.draw(now)

    assert len(sent) == 10
    assert 5 <= max(sent.values()) <= 10
    assert sum(sent.values()) <= 100


def test_a_click_on_cancel_only_says_so(opened: Any, clock: list[float]) -> None:
    asked: list[bool] = []
    now = status()
    card = opened(now, lambda: asked.append(True))
    card._button.click()
    assert asked == [True]
    assert not card._button.disabled

    now.canceling = True
    clock[0] += 1
    card.draw(now)
    assert card._button.disabled
    assert "Stopping" in card._state.value


def test_the_frame_has_from_the_start_the_size_that_the_picture_will_have(
    opened: Any, png: Callable[..., bytes], shell: Any
) -> None:
    now = status(width=1024, height=512)
    card = opened(now)
    assert "width: 512px; height: 256px" in card._frames[0].value
    card.finish(Ending(task=now.task, pngs=(png(1024, 512),), error=None, elapsed=1.0))
    (size,) = [
        out["metadata"]["image/png"] for out in shell.display_pub.outputs if "image/png" in out["data"]
    ]
    assert (size["width"], size["height"]) == (512, 256)


def test_a_finished_image_is_shown_at_once(
    opened: Any, clock: list[float], png: Callable[..., bytes]
) -> None:
    now = status(n=2)
    card = opened(now)
    clock[0] += 1
    card.draw(now)
    now.announced.add(0)
    now.images[0] = png(64, 64)
    card.draw(now)
    assert "data:image/png" in card._frames[0].value
    now.previews[1] = b"\xff\xd8"
    card.draw(now)
    assert "data:image/jpeg" not in card._frames[1].value, "a preview waits for its turn"


def test_a_screen_reader_hears_only_of_another_stage(opened: Any, clock: list[float]) -> None:
    now = status()
    card = opened(now)
    said = {card._spoken.value}
    for step in range(1, 9):
        clock[0] += 1
        now.apply(ProgressEvent(**COMMON, image=0, step=step, steps=20, seconds_per_step=0.1))
        card.draw(now)
        said.add(card._spoken.value)
    assert len(said) == 2


def test_a_grid_fills_one_by_one(opened: Any, clock: list[float], png: Callable[..., bytes]) -> None:
    now = status(n=3)
    card = opened(now)
    for seed, frame in zip((7, 8, 9), card._frames, strict=True):
        assert f"<div>seed {seed}</div>" in frame.value
        assert "<img" not in frame.value

    now.apply(ImageEvent(**COMMON, seq=3, index=0, sha256="", seed=7))
    now.images[0] = png(512, 512)
    now.apply(PreviewEvent(**COMMON, image=1, step=3, data=base64.b64encode(b"\xff\xd8").decode()))
    clock[0] += 1
    card.draw(now)

    first, second, third = (frame.value for frame in card._frames)
    assert "data:image/png" in first
    assert "data:image/jpeg" in second
    assert "<img" not in third
    assert "<b>" not in first


def test_at_its_end_no_widget_is_left_and_no_preview_in_a_closed_one(
    opened: Any, clock: list[float], png: Callable[..., bytes], shell: Any
) -> None:
    before = set(_instances)
    now = status()
    card = opened(now)
    now.apply(preview(1))
    clock[0] += 1
    card.draw(now)
    assert "data:image/jpeg" in card._frames[0].value

    card.finish(Ending(task=now.task, pngs=(png(64, 64),), error=None, elapsed=1.0))
    card.draw(now)

    assert set(_instances) == before
    assert card._frames[0].value == ""
    picture, caption = shell.display_pub.outputs[-2:]
    assert "image/png" in picture["data"]
    assert "text/html" in caption["data"]


def test_finishing_twice_replaces_and_adds_nothing(
    opened: Any, png: Callable[..., bytes], shell: Any
) -> None:
    card = opened(status())
    ending = Ending(task=status().task, pngs=(png(64, 64),), error=None, elapsed=1.0)
    card.finish(ending)
    shown = len(shell.display_pub.outputs)
    card.finish(ending)
    assert all(out["update"] for out in shell.display_pub.outputs[shown:])
