"""The panel in a real JupyterLab with a token. What is drawn is not the subject."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from tests.browser.kernel import wait_for_kernel
from tools.lab import Lab

from gpugen_client.access import connect
from gpugen_client.tasks import Tasks
from gpugen_protocol.request import TaskRequest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LONG = {"n": 16, "steps": 150}  # 24 s of the generator without a model: nobody waits for its end
THEMES = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "contrast": "JupyterLab Dark High Contrast",
}

CHANGE_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


@pytest.fixture(scope="module")
def lab_environment() -> dict[str, str]:
    """The generator without a model is quick; pictures that are to be kept show what the real one draws."""
    return {} if "GPUGEN_TEST_PICTURES" in os.environ else {"GPUGEN_GENERATOR": "fake"}


def open_panel(page: Page, lab: Lab, notebook: str = "") -> Locator:
    """The panel, beside the notebook with its kernel ready."""
    page.goto(lab.address(notebook))
    if notebook:
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("tab", name="gpugen").click()
    panel = page.get_by_role("region", name="gpugen")
    expect(panel.get_by_role("alert")).to_have_count(0)
    expect(panel.locator(".gpugen-panel-summary")).not_to_be_empty()
    return panel


def tasks_of(lab: Lab) -> Tasks:
    """The same private server, as a script sees it."""
    return Tasks(connect(environ={"GPUGEN_DATA_DIR": str(lab.data)}, start=False))


def drawn(lab: Lab, panel: Locator, prompt: str, n: int = 1) -> str:
    """The id of a task that is finished, and shows so."""
    task = tasks_of(lab).submit(TaskRequest(prompt=prompt, n=n, steps=1)).id
    expect(panel.locator(f"[data-task='{task}'][data-state='succeeded']")).to_be_visible()
    return str(task)


def row(panel: Locator, prompt: str) -> Locator:
    return panel.locator(".gpugen-panel-task").filter(has_text=prompt)


def run_cell(page: Page, index: int) -> Locator:
    """Run cell `index`; gives its outputs."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(index)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell.locator(".jp-OutputArea-output")


def test_cancel_in_the_panel_stops_the_task_of_a_running_cell(page: Page, lab: Lab) -> None:
    path = lab.write("castle.ipynb", "%load_ext gpugen", "%%gpugen -n 16 --steps 150\na castle")
    panel = open_panel(page, lab, path.name)
    run_cell(page, 0)
    outputs = run_cell(page, 1)
    castle = row(panel, "a castle")
    expect(castle).to_have_attribute("data-state", "running")
    expect(page.locator(".gpugen-status")).to_contain_text("1 running")
    bar = castle.get_by_role("progressbar")
    first = bar.get_attribute("aria-valuetext")
    expect(bar).not_to_have_attribute("aria-valuetext", str(first))

    castle.get_by_role("button", name="Cancel").click()

    expect(castle).to_have_attribute("data-state", "canceled")
    expect(outputs.filter(has_text="canceled").first).to_be_visible()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    expect(page.locator(".gpugen-status")).to_be_empty()


def test_the_gallery_finds_an_image_and_brings_it_into_the_notebook(page: Page, lab: Lab) -> None:
    path = lab.write("pets.ipynb", "1")
    panel = open_panel(page, lab, path.name)
    drawn(lab, panel, "a dog")
    cat = drawn(lab, panel, "a cat", n=2)
    panel.get_by_role("tab", name="Gallery").click()
    panel.get_by_role("searchbox").fill("CAT")
    tiles = panel.locator(".gpugen-panel-tile")
    expect(tiles).to_have_count(2)
    tiles.first.click()
    picture = panel.locator(".gpugen-panel-detail-picture img")
    expect(picture).to_have_attribute("alt", "a cat")

    panel.get_by_role("button", name="Insert image").click()
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    expect(cells).to_have_count(3)
    panel.get_by_role("button", name="Insert cell").click()
    expect(cells).to_have_count(4)
    expect(cells.nth(3)).to_contain_text("a cat")
    run_cell(page, 1)
    expect(run_cell(page, 2).locator("img").first).to_be_visible()
    expect(run_cell(page, 3).locator("img[src^='data:image/png']").last).to_be_visible()

    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("status")).to_contain_text("Saved as gpugen-emoji-")
    assert [file.read_bytes()[:4] for file in lab.notebooks.glob("gpugen-emoji-*.png")] == [b"\x89PNG"]

    page.reload()
    panel = page.get_by_role("region", name="gpugen")
    expect(panel.locator(".gpugen-panel-detail-prompt")).to_have_text("a cat")
    panel.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(panel.locator(".gpugen-panel-detail")).to_have_count(0)
    assert cat not in [task.id for task in tasks_of(lab).list().tasks]


def test_two_tabs_agree_and_the_form_says_what_the_server_says(page: Page, lab: Lab) -> None:
    panel = open_panel(page, lab)
    other = page.context.new_page()
    elsewhere = open_panel(other, lab)

    panel.get_by_role("button", name="New image").click()
    form = panel.get_by_role("form")
    form.get_by_label("Steps").fill("many")
    form.get_by_label("Prompt").fill("a ship")
    form.get_by_role("button", name="Generate").click()
    expect(form.get_by_label("Steps")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Steps").fill("150")
    form.get_by_label("Images").fill("16")
    form.get_by_role("button", name="Generate").click()
    for tab in (panel, elsewhere):
        expect(row(tab, "a ship")).to_have_attribute("data-state", "running")

    row(elsewhere, "a ship").get_by_role("button", name="Cancel").click()
    for tab in (elsewhere, panel):
        expect(row(tab, "a ship")).to_have_attribute("data-state", "canceled")
    row(panel, "a ship").get_by_role("button", name="Try again").click()
    expect(row(elsewhere, "a ship")).to_have_count(2)
    for task in tasks_of(lab).list().tasks:
        if not task.finished:
            tasks_of(lab).cancel(task.id)
    other.close()


@pytest.fixture
def on_the_right(lab: Lab) -> Iterator[None]:
    """The user has chosen the right side, and changes their mind afterwards."""
    address = f"{lab.url}lab/api/settings/@gpugen/lab:panel"
    headers = {"Authorization": f"token {lab.token}"}
    requests.put(address, json={"raw": '{"side": "right"}'}, headers=headers, timeout=30).raise_for_status()
    yield
    requests.put(address, json={"raw": "{}"}, headers=headers, timeout=30).raise_for_status()


@pytest.mark.usefixtures("on_the_right")
def test_the_launcher_leads_to_an_image_also_where_no_websocket_gets_through(page: Page, lab: Lab) -> None:
    page.route_web_socket(re.compile("gpugen/api/v1/events"), lambda socket: socket.close())
    page.goto(lab.address())
    page.locator(".jp-LauncherCard", has_text="Generate an Image").click()
    panel = page.locator("#jp-right-stack").get_by_role("region", name="gpugen")
    panel.get_by_label("Prompt", exact=True).fill("an anchor")
    panel.get_by_role("button", name="Generate").click()

    expect(row(panel, "an anchor")).to_have_attribute("data-state", "succeeded")
    expect(row(panel, "an anchor").get_by_role("img")).to_be_visible()

    panel.get_by_role("button", name="an anchor").click()
    panel.get_by_role("button", name="Another seed").click()
    panel.get_by_role("button", name="Back").click()
    expect(row(panel, "an anchor")).to_have_count(2)
    expect(panel.locator("[data-state='succeeded']").filter(has_text="an anchor")).to_have_count(2)


def test_notebook_7_has_the_panel_and_draws(page: Page, lab: Lab) -> None:
    path = lab.write("seven.ipynb", "%load_ext gpugen", "%%gpugen --seed 7\na kite")
    page.goto(f"{lab.url}notebooks/{path.name}?token={lab.token}")
    wait_for_kernel(page)
    run_cell(page, 0)
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("Open the gpugen Panel")
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="gpugen")

    outputs = run_cell(page, 1)
    expect(outputs.locator("img[src^='data:image/png']").last).to_be_visible()
    expect(row(panel, "a kite")).to_have_attribute("data-state", "succeeded")
    row(panel, "a kite").get_by_role("button", name="a kite").click()
    panel.get_by_role("button", name="Insert cell").click()
    expect(page.locator(".jp-Notebook .jp-CodeCell").nth(2)).to_contain_text("%%gpugen")


def test_it_looks_right_and_a_screen_reader_can_use_it(page: Page, lab: Lab, pictures: Path) -> None:
    panel = open_panel(page, lab)
    tasks = tasks_of(lab)
    for prompt in ("a red apple", "a rocket", "a cactus", "a sailing boat", "a guitar", "a doughnut"):
        drawn(lab, panel, prompt)
    running = [
        tasks.submit(TaskRequest(prompt=prompt, group=group, **LONG)).id
        for prompt, group in (("a lighthouse", None), ("a tulip", "grid"), ("a rose", "grid"))
    ]
    expect(row(panel, "a lighthouse").get_by_role("progressbar")).to_have_attribute(
        "aria-valuenow", re.compile("[1-9]")
    )

    for theme, name in THEMES.items():
        page.evaluate(CHANGE_THEME, name)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", name)
        for tab in ("Queue", "Gallery", "Workers"):
            panel.get_by_role("tab", name=tab).click()
            page.mouse.move(0, 0)
            expect(panel.locator("li, .gpugen-panel-tile").first).to_be_visible()
            expect(panel.locator(".gpugen-panel-tile:not(:has(img))")).to_have_count(0)
            page.screenshot(path=pictures / f"panel-{tab.lower()}-{theme}.png", clip=around(panel))
            assert serious(page) == []
        panel.locator(".gpugen-panel-tabs").get_by_role("tab", name="Gallery").click()
        panel.locator(".gpugen-panel-tile").first.click()
        expect(panel.locator(".gpugen-panel-detail-picture img")).to_be_visible()
        page.screenshot(path=pictures / f"panel-detail-{theme}.png", clip=around(panel))
        assert serious(page) == []
    panel.get_by_role("button", name="New image").click()
    assert serious(page) == []
    page.screenshot(path=pictures / "panel-form-contrast.png", clip=around(panel))
    for task in running:
        tasks.cancel(task)


def around(panel: Locator) -> dict[str, float]:
    box = panel.bounding_box()
    assert box is not None
    return dict(box)


def serious(page: Page) -> list[str]:
    """What axe-core finds wrong with the panel, if it is serious."""
    found = Axe().run(page, context=".gpugen-panel").response["violations"]
    return [
        f"{one['id']}: {[node['html'] + node['failureSummary'] for node in one['nodes']]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
