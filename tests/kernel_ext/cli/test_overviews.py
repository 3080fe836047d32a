from __future__ import annotations

import json
import os
import sys

import pytest
from tests.conftest import RunningServer
from tests.fakes import DrawingWorker, until
from tests.kernel_ext.conftest import Shell

from gpugen.cli import run
from gpugen_server.autoscale import machines
from gpugen_server.autoscale.provider import Choice
from gpugen_server.database import Store


def test_status_says_where_the_server_is_and_how(gpugen: Shell, server: object) -> None:
    done = gpugen("status")
    assert done.returncode == 0, done.stderr
    assert gpugen.environ["GPUGEN_URL"] in done.stdout
    document = json.loads(gpugen("status", "--json").stdout)
    assert document["health"]["state"] == "ok"
    assert document["stats"]["workers"] == {}


def test_machines_on_their_way_and_their_costs_are_shown(gpugen: Shell, server: RunningServer) -> None:
    def intend(store: Store) -> None:
        choice = Choice(place="", text="g2-standard-4 in us-central1-a", hourly=2.4)
        machine = machines.intend(store, "gce", choice)
        since = store.now - 0.1 * (store.now % 86400)  # not yesterday, however early it is
        store.change("UPDATE machines SET up_at = ? WHERE id = ?", since, machine.id)

    server.query(intend)
    words = " ".join(gpugen("workers").stdout.split())
    assert "up g2-standard-4 in us-central1-a" in words
    assert "about $" in gpugen("status").stdout
    assert json.loads(gpugen("status", "--json").stdout)["stats"]["cost"]["today"] > 0


def test_models_marks_the_default(gpugen: Shell) -> None:
    assert "emoji (default)" in gpugen("models").stdout
    assert json.loads(gpugen("models", "--json").stdout)["default"] == "emoji"


def test_one_model_is_told_in_full(gpugen: Shell) -> None:
    assert "multiples of 16" in gpugen("models", "emoji").stdout
    assert json.loads(gpugen("models", "emoji", "--json").stdout)["family"] == "sd"


def test_an_unknown_model_names_the_nearest(gpugen: Shell) -> None:
    done = gpugen("models", "emojy")
    assert done.returncode == 2
    assert "Did you mean emoji?" in done.stderr


def test_workers_are_listed_with_what_they_do(gpugen: Shell, drawing_worker: DrawingWorker) -> None:
    until(lambda: "fake" in gpugen("workers").stdout, 20)
    assert json.loads(gpugen("workers", "--json").stdout)["workers"][0]["state"] == "idle"


def test_without_a_worker_the_list_says_so_and_how_to_start_one(gpugen: Shell) -> None:
    done = gpugen("workers")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no worker" in done.stderr
    assert f"gpugen worker --url {gpugen.environ['GPUGEN_URL']} --token-file" in done.stderr


@pytest.mark.parametrize("command", ["status", "queue", "models", "workers"])
def test_a_server_that_is_not_there_is_exit_code_3(gpugen: Shell, command: str) -> None:
    done = gpugen(command, GPUGEN_URL="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr


def test_lab_refuses_a_notebook_that_is_not_there(gpugen: Shell) -> None:
    done = gpugen("lab", "nope.ipynb")
    assert done.returncode == 2
    assert "nope.ipynb" in done.stderr


def test_lab_becomes_jupyterlab_with_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jupyterlab")
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: became.append(arguments))
    assert run(["lab", __file__, "--no-browser", "--port", "9999"]) == 0
    assert became == [[sys.executable, "-m", "jupyterlab", __file__, "--no-browser", "--port", "9999"]]
