"""A worker without a model: it claims, reports steps and uploads real PNGs, so that tests need no torch.

with DrawingWorker(server.url, registration_token) as worker:
    worker.hold()            # from now on it stops before its next step ...
    ...
    worker.go_on()           # ... until here
"""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import pytest
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from gpugen_client.claims import WorkerApi
from gpugen_protocol import __version__, wire
from gpugen_protocol.errors import GpugenError, LeaseLost, ServerUnreachable
from gpugen_protocol.events import LogReport, PhaseReport, PreviewReport, ProgressReport, Report
from gpugen_protocol.recipe import PARAMETERS_KEY, RECIPE_KEY, Recipe
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.worker import ClaimRequest, Completion, Failure, Lease, SessionRequest


@pytest.fixture
def drawing_worker(server: Any) -> Iterator[DrawingWorker]:
    """A worker that draws for `server` (of tests/conftest.py)."""
    with DrawingWorker(server.url, server.worker_token) as worker:
        yield worker


class DrawingWorker:
    """A worker in a thread.

    Attributes:
        seconds_per_step: how long it sleeps in every step.
        failure: if set, what it fails the next tasks with, after their first image.
        claimed: the ids of the tasks it got.
        canceled: the ids of those it was asked to stop.
    """

    def __init__(self, url: str, registration_token: str, *, seconds_per_step: float = 0.0) -> None:
        self.seconds_per_step = seconds_per_step
        self.failure: Failure | None = None
        self.claimed: list[str] = []
        self.canceled: list[str] = []
        self.error: BaseException | None = None
        self._api = WorkerApi(url, registration_token)
        self._may_draw = threading.Event()
        self._may_draw.set()
        self._stopping = threading.Event()
        self._hold_at: int | None = None
        self._thread = threading.Thread(target=self._run, name="drawing-worker", daemon=True)

    def __enter__(self) -> DrawingWorker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._may_draw.set()
        self._thread.join(10)
        if kind is None and self.error is not None:
            raise self.error

    def hold(self, before_step: int | None = None) -> None:
        """Stop before the next step, or before that one, until `go_on`; the heartbeat goes on."""
        if before_step is None:
            self._may_draw.clear()
        self._hold_at = before_step

    def go_on(self) -> None:
        """Draw again."""
        self._may_draw.set()

    def _run(self) -> None:
        try:
            self._api.open_session(
                SessionRequest(name="fake", models=("emoji",), version=__version__, device="none")
            )
            while not self._stopping.is_set():
                for lease in self._api.claim(ClaimRequest(wait_seconds=0.5, models=("emoji",))):
                    self._work(lease)
        except GpugenError as error:  # a server that a test took down is no surprise
            if not self._stopping.is_set():
                self.error = error

    def _work(self, lease: Lease) -> None:
        self.claimed.append(lease.task.id)
        try:
            self._draw(lease)
        except _Canceled:
            self.canceled.append(lease.task.id)
            self._api.fail(lease.id, Failure(code="canceled", message="Canceled."))
        except LeaseLost:
            return

    def _draw(self, lease: Lease) -> None:
        request = lease.task.request
        self._report(lease, PhaseReport(phase="loading", text="Loading the model"))
        self._report(lease, PhaseReport(phase="drawing"), LogReport(message="The fake worker draws."))
        for index, seed in enumerate(request.seeds):
            png = self._image(lease, request, index, seed)
            self._report(lease, PhaseReport(phase="uploading"))
            self._api.upload(lease.id, index, png)
            if self.failure is not None:
                self._api.fail(lease.id, self.failure)
                return
        self._api.complete(lease.id, Completion(loading_seconds=0.0, drawing_seconds=0.1))

    def _image(self, lease: Lease, request: ResolvedRequest, index: int, seed: int) -> bytes:
        small = base64.b64encode(picture(request, seed, "JPEG", 32)).decode()
        pace = max(self.seconds_per_step, 0.001)
        told: tuple[Report, ...] = ()
        for step in range(1, request.steps + 1):
            self._wait(lease, step, told)
            told = (
                ProgressReport(image=index, step=step, steps=request.steps, seconds_per_step=pace),
                PreviewReport(image=index, step=step, data=small),
            )
            self._report(lease, *told)
        return png_with_recipe(lease, index, seed)

    def _wait(self, lease: Lease, step: int, told: tuple[Report, ...]) -> None:
        if step == self._hold_at:
            self.hold()
        if self._stopping.wait(self.seconds_per_step):
            raise LeaseLost
        while not self._may_draw.wait(0.1):
            self._report(lease, *told)  # again, for those who came late

    def _report(self, lease: Lease, *reports: Report) -> None:
        while True:
            try:
                beat = self._api.report(lease.id, reports)
                break
            except ServerUnreachable:  # a report is not sent twice by itself; a real worker goes on, too
                if self._stopping.wait(0.05):
                    raise
        if beat.cancel:
            raise _Canceled


class _Canceled(Exception):
    """The server asked to stop."""


def picture(request: ResolvedRequest, seed: int, kind: str, side: int | None = None) -> bytes:
    """A disc whose colours come from the seed, `side` pixels wide or as large as asked for."""
    size = (side, side) if side else (request.width, request.height)
    image = Image.new("RGB", size, _colour(seed))
    ImageDraw.Draw(image).ellipse(
        (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4), _colour(seed + 1)
    )
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def png_with_recipe(lease: Lease, index: int, seed: int) -> bytes:
    """The picture as a worker uploads it."""
    request = lease.task.request
    recipe = Recipe(
        **{
            name: getattr(request, name) for name in ("prompt", "negative_prompt", "model", "width", "height")
        },
        **{name: getattr(request, name) for name in ("steps", "guidance", "scheduler", "n")},
        revision="1",
        seed=seed,
        index=index,
        task=lease.task.id,
        gpugen=__version__,
    )
    chunks = PngInfo()
    chunks.add_itxt(RECIPE_KEY, wire.encode(recipe).decode())
    chunks.add_itxt(PARAMETERS_KEY, recipe.parameters())
    image = Image.open(io.BytesIO(picture(request, seed, "PNG")))
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def until(condition: object, seconds: float = 10.0) -> None:
    """Wait until `condition()` holds; fail if it does not in time."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def _colour(seed: int) -> tuple[int, int, int]:
    mixed = (seed * 2654435761) % 2**32
    return mixed & 255, mixed >> 8 & 255, mixed >> 16 & 255
