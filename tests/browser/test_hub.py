"""A real JupyterHub on this machine: each of its users has a Jupyter server, and is a gpugen user."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.conftest import RunningServer
from tests.fakes import until
from tests.gcs import free_port
from tools.lab import link_panel

from gpugen_protocol.request import TaskRequest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

USERS = ("ann", "bob")
START_SECONDS = 120
DOCS = Path(__file__).parents[2] / "docs" / "jupyterlab.md"
# JupyterHub's own proxy is a program for node; this one does the same in Python.
CONFIG = """
import os, sys

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = os.getcwd() + "/home/{username}"
c.JupyterHub.bind_url = "http://127.0.0.1:%(port)d"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:%(hub_port)d"
c.ConfigurableHTTPProxy.command = [os.path.dirname(sys.executable) + "/configurable-http-proxy"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:%(proxy_port)d"
c.JupyterHub.cookie_secret_file = os.getcwd() + "/cookie_secret"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.services = [{"name": "test", "api_token": "%(token)s"}]
c.JupyterHub.load_roles = [
    {"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "tokens"]}
]
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.default_url = "/lab"
c.Spawner.environment = {"JUPYTER_PATH": os.getcwd() + "/tree"}
"""


def documented_hook(server: str, secret: Path) -> str:
    """The code of docs/jupyterlab.md that makes each user of the hub one of gpugen's."""
    code = DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    return code.replace("https://gpu.example.org", server).replace("/run/secrets/gpugen-admin", str(secret))


class Hub:
    """One that runs, and what its administrator may ask of it."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._headers = {"Authorization": f"token {token}"}

    def ask(self, method: str, path: str, **kw: Any) -> requests.Response:
        return requests.request(method, f"{self.url}/hub/api{path}", headers=self._headers, timeout=60, **kw)

    def start(self, user: str) -> None:
        """Begin to start the Jupyter server of a new `user`."""
        self.ask("POST", f"/users/{user}").raise_for_status()
        self.ask("POST", f"/users/{user}/server").raise_for_status()

    def wait(self, user: str) -> None:
        """Wait until it has started."""
        progress = self.ask("GET", f"/users/{user}/server/progress", stream=True)
        events = [line for line in progress.iter_lines() if line]
        assert b'"ready": true' in events[-1], events

    def prompts(self, asking: str, of: str) -> list[str] | int:
        """What the server of `of` lists for somebody with a token of `asking`, or how it refuses."""
        token = self.ask("POST", f"/users/{asking}/tokens", json={"note": "test"}).json()["token"]
        answer = requests.get(
            f"{self.url}/user/{of}/gpugen/api/v1/tasks",
            headers={"Authorization": f"token {token}"},
            timeout=60,
        )
        return (
            [task["request"]["prompt"] for task in answer.json()["tasks"]]
            if answer.ok
            else answer.status_code
        )


@pytest.fixture(scope="module")
def server(valkey: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    found = RunningServer(tmp_path_factory.mktemp("server"), valkey)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def tokens(server: RunningServer) -> dict[str, str]:
    """What the hub's users are to gpugen, seen from elsewhere."""
    return {user: server.make_token("user", user) for user in USERS}


@pytest.fixture(scope="module")
def hub(server: RunningServer) -> Iterator[Hub]:
    """JupyterHub with the Jupyter servers of all users."""
    with tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        values = {"port": free_port(), "hub_port": free_port(), "proxy_port": free_port()}
        token = secrets.token_hex(16)
        secret = folder / "gpugen-admin"
        secret.write_text(server.make_token("admin", "hub"))
        config = CONFIG % {**values, "token": token} + documented_hook(server.url, secret)
        (folder / "jupyterhub_config.py").write_text(config, encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GPUGEN_", "JUPYTER"))}
        link_panel(folder / "tree")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub"], cwd=folder, env=kept, stdout=log, stderr=log
            )
        hub = Hub(f"http://127.0.0.1:{values['port']}", token)
        try:
            _until_it_answers(hub, process, folder / "log")
            for user in USERS:
                hub.start(user)
            for user in USERS:
                hub.wait(user)
            yield hub
        finally:
            process.terminate()  # it ends its users' servers and its proxy
            process.wait(60)


def _until_it_answers(hub: Hub, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return hub.ask("GET", "/").ok
        except requests.ConnectionError:
            return False

    until(answers, START_SECONDS)


def test_each_user_sees_their_own_tasks_and_only_through_their_own_server(
    hub: Hub, server: RunningServer, tokens: dict[str, str]
) -> None:
    for user in USERS:
        server.tasks(tokens[user]).submit(TaskRequest(prompt=f"a secret of {user}"))

    assert [hub.prompts(user, user) for user in USERS] == [["a secret of ann"], ["a secret of bob"]]
    assert hub.prompts("ann", of="bob") == 403


def test_the_panel_works_below_the_user_s_address(
    page: Page, hub: Hub, server: RunningServer, tokens: dict[str, str]
) -> None:
    page.goto(f"{hub.url}/hub/login?next=/user/ann/lab%3Freset")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill("anything")
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("tab", name="gpugen").click()
    panel = page.get_by_role("region", name="gpugen")
    panel.get_by_role("button", name="New image").click()
    panel.get_by_label("Prompt", exact=True).fill("a ship")
    panel.get_by_role("button", name="Generate").click()

    expect(panel.locator(".gpugen-panel-task").filter(has_text="a ship")).to_have_attribute(
        "data-state", "queued"
    )
    expect(panel.get_by_role("alert")).to_have_count(0)
    assert server.tasks(tokens["ann"]).list().tasks[0].request.prompt == "a ship"
    assert server.tasks().stats().watchers >= 1, "its websocket goes through, too"
