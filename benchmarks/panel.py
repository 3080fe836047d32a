"""The panel with 1,000 tasks in a real JupyterLab, scrolled from end to end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TypedDict

from playwright.sync_api import Page
from tools.lab import chromium, jupyterlab

from benchmarks.figures import Figure
from benchmarks.processes import RunningServer, server
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol.request import TaskRequest

TASKS = 1000
_PATIENCE_MS = 180_000
# Half a screen a frame until the last of all tasks is there, and back; gives the main thread's long tasks,
# which are those over 50 ms, having made sure that the page reports one.
_SCROLL = """async count => {
  const long = [];
  const observer = new PerformanceObserver(list => long.push(...list.getEntries().map(e => e.duration)));
  observer.observe({type: 'longtask'});
  const pause = ms => new Promise(done => setTimeout(done, ms));
  await pause(0);
  for (const end = performance.now() + 60; performance.now() < end; );
  await pause(500);
  if (!long.length) throw new Error('The page reports no long tasks.');
  long.length = 0;
  const box = document.querySelector('.gpugen-panel-scroll');
  const last = () => document.querySelector(`.gpugen-panel-row[aria-posinset="${count}"]`);
  const frame = () => new Promise(requestAnimationFrame);
  const start = performance.now();
  let frames = 0;
  for (; !last(); frames += 1) {
    box.scrollTop += box.clientHeight / 2;
    await frame();
  }
  for (; box.scrollTop > 0; frames += 1) {
    box.scrollTop -= box.clientHeight / 2;
    await frame();
  }
  const seconds = (performance.now() - start) / 1000;
  await pause(500);
  long.push(...observer.takeRecords().map(e => e.duration));
  return {longest: Math.max(0, ...long), long: long.length, seconds, frames};
}"""


class _Scroll(TypedDict):
    longest: float
    long: int
    seconds: float
    frames: int


def run() -> list[Figure]:
    """One page, scrolled down and up."""
    with (
        tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as folder,
        server(Path(folder), synchronous="NORMAL") as running,
    ):
        _fill(running)
        seen = _scroll(running)
    note = f"{seen['long']} over 50 ms, {seen['frames']} frames in {seen['seconds']:.1f} s"
    return [Figure("1,000 tasks scrolled, longest main-thread task", seen["longest"], "ms", 100.0, note)]


def _fill(running: RunningServer) -> None:
    """Canceled at once: fewer may wait."""
    tasks = Tasks(Connection(running.url, running.user_token))
    for number in range(TASKS):
        tasks.cancel(tasks.submit(TaskRequest(prompt=f"picture number {number}")).id)


def _scroll(running: RunningServer) -> _Scroll:
    named = {"GPUGEN_URL": running.url, "GPUGEN_TOKEN": running.user_token}
    with (
        tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as folder,
        jupyterlab(Path(folder), named) as lab,
        chromium() as browser,
    ):
        page = browser.new_page(viewport={"width": 1180, "height": 760})
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(lab.address())
        return _scroll_page(page)


def _scroll_page(page: Page) -> _Scroll:
    page.get_by_role("tab", name="gpugen").click()
    page.locator(".gpugen-panel-task").first.wait_for()
    found: _Scroll = page.evaluate(_SCROLL, TASKS)
    return found
