"""`gpugen simulate` as it is called."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.request import TaskRequest
from gpugen_server.simulate.command import simulate
from gpugen_server.simulate.world import POWER_OFF

SHORT = ("--days", "2", "--idle", "1m,10m", "--max-workers", "1,3")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(*arguments)`: what it prints; raises our errors."""
    monkeypatch.setenv("GPUGEN_DATA_DIR", str(tmp_path))

    def run(*arguments):
        done = CliRunner().invoke(simulate, arguments, standalone_mode=False, catch_exceptions=False)
        if done.exception is not None:
            raise done.exception
        return done.stdout

    return run


def test_it_compares_idle_times_and_limits_in_a_table(run):
    head, *rows = run(*SHORT).splitlines()
    assert head.split()[:2] == ["workers", "idle"]
    assert [row.split()[:2] for row in rows] == [
        ["0..1", "1m"],
        ["0..1", "10m"],
        ["0..3", "1m"],
        ["0..3", "10m"],
    ]


def test_it_prints_one_json_document_in_which_waiting_less_costs_more(run):
    short, long, *_ = json.loads(run(*SHORT, "--json"))["results"]
    assert short["wait_mean"] > long["wait_mean"]
    assert short["cost_per_day"] < long["cost_per_day"]
    assert short["tasks"] == long["tasks"] > 0


def test_a_price_counts_as_told_or_as_the_table_has_it(run, tmp_path):
    def cost(*arguments):
        return json.loads(run("--days", "2", "--idle", "1m", "--max-workers", "1", "--json", *arguments))[
            "results"
        ][0]["cost_per_day"]

    assert cost("--hourly", "2") == pytest.approx(2 * cost("--hourly", "1"))
    assert cost("--machine", "g2-standard-8:spot") < cost()
    (tmp_path / "prices.toml").write_text('[machines]\n"g2-standard-8" = { hour = 1.0, spot = 0.5 }\n')
    assert cost() == pytest.approx(cost("--hourly", "1"))


def test_the_picture_is_svg_with_a_point_for_each_result(run, tmp_path):
    picture = tmp_path / "picture.svg"
    run(*SHORT, "--plot", str(picture))
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("10m") == 2
    assert {"at most 1", "at most 3", "dollars a day"} <= set(texts)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--max-workers", "0"), "numbers of workers"),
        (("--max-workers", "many"), "numbers of workers"),
        (("--idle", "soon"), "not a duration"),
        (("--days", "0"), "more than 0"),
        (("--session", "0.5"), "at least one"),
        (("--machine", "big machine"), "not a kind"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(run, arguments, says):
    with pytest.raises(Misconfigured, match=says):
        run(*arguments)


def test_recorded_tasks_need_a_database_that_is_there(run, tmp_path):
    missing = tmp_path / "none.db"
    with pytest.raises(Misconfigured, match="no database"):
        run("--database-url", str(missing))
    assert not missing.exists()


def test_recorded_tasks_are_played_as_they_came(run, make_server, tmp_path):
    server = make_server(data=tmp_path / "server")
    server.tasks().submit(TaskRequest(prompt="a cat"))
    server.sql("UPDATE tasks SET state = 'succeeded', started_at = 50.0, finished_at = 90.0 RETURNING num")
    arguments = (
        "--database-url",
        server.settings.database_url,
        "--idle",
        "5m",
        "--max-workers",
        "1",
        "--json",
    )
    (found,) = json.loads(run(*arguments, "--hourly", "3.6"))["results"]
    assert found["tasks"] == 1
    assert found["hours"] * 3600 == pytest.approx(found["wait_mean"] + 40 + 300 + POWER_OFF)
    assert found["cost_per_task"] == pytest.approx(found["hours"] * 3.6)


def test_its_help_loads_nothing_heavy():
    code = (
        "import sys, gpugen_server.simulate.command\n"
        "heavy = {'tornado', 'peewee', 'msgspec', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
