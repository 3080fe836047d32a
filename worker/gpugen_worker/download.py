"""Weights on their way from the Hub or the disk: tells how far they are, and stops when the task must."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from diffusers.pipelines import pipeline_utils
from diffusers.pipelines.pipeline_loading_utils import load_sub_model
from huggingface_hub import snapshot_download
from huggingface_hub.utils.tqdm import tqdm

from gpugen_worker.folder import weight_bytes
from gpugen_worker.generator import Observer
from gpugen_worker.text import amount

REPORT_SECONDS = 1.0
BYTES = "huggingface_hub.snapshot_download"  # the one of its progress bars that counts bytes on the disk


@contextmanager
def followed_download(name: str, observer: Observer) -> Iterator[None]:
    """Inside, what DiffusionPipeline downloads of the model `name` is told to `observer`.

    It has no argument for a progress bar, so its `snapshot_download` is exchanged for one that has ours.
    """

    class Bar(_Bar):
        label = name
        follower = observer
        reported_at = time.monotonic()

    pipeline_utils.snapshot_download = partial(snapshot_download, tqdm_class=Bar)
    try:
        yield
    finally:
        pipeline_utils.snapshot_download = snapshot_download


@contextmanager
def followed_loading(name: str, total: int, observer: Observer) -> Iterator[None]:
    """Inside, what DiffusionPipeline loads of the model `name` (`total` bytes) is told to `observer`.

    Its parts are loaded one after the other, by a function that is exchanged for one that counts.
    """
    told_at, done = time.monotonic(), 0

    def load(*args: Any, **named: Any) -> Any:
        nonlocal told_at, done
        observer.check()
        part = load_sub_model(*args, **named)
        done += weight_bytes(Path(named["cached_folder"], named["name"]))
        if time.monotonic() - told_at > REPORT_SECONDS and done < total:
            told_at = time.monotonic()
            observer.phase("loading", f"Loading {name}: {amount(done, total)}", done=done, total=total)
        return part

    pipeline_utils.load_sub_model = load
    try:
        yield
    finally:
        pipeline_utils.load_sub_model = load_sub_model


class _Bar(tqdm):
    """A progress bar that shows nothing: what moves it is looked at, in the threads of the download."""

    label: str
    follower: Observer
    reported_at: float

    def __init__(self, *args: Any, name: str | None = None, **options: Any) -> None:
        super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]
        self._counts_bytes = name == BYTES

    def update(self, n: float | None = 1) -> None:
        """`n` more have arrived. Raises Interrupted, which ends the download of that file."""
        self.follower.check()
        self.n += n or 0
        if self._counts_bytes and time.monotonic() - self.reported_at > REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        type(self).reported_at = time.monotonic()
        done, total = int(self.n), int(self.total or 0)
        text = f"Downloading {self.label}: {amount(done, total)}"
        self.follower.phase("loading", text, done=done, total=total)
