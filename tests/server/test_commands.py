"""Tests of `gpugen token`, on the database alone."""

import json
import stat
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gpugen_protocol.errors import InvalidRequest, Misconfigured, NotFound
from gpugen_server.commands import token
from gpugen_server.database import Database
from gpugen_server.tokens import keeper


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `gpugen token ...`; gives stdout, raises our errors."""
    for name in ("GPUGEN_DATABASE_URL", "GPUGEN_REDIS_URL", "GPUGEN_STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GPUGEN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GPUGEN_CONFIG", str(tmp_path / "gpugen.toml"))
    (tmp_path / "gpugen.toml").touch()

    def run(*arguments):
        done = CliRunner().invoke(token, arguments, standalone_mode=False, catch_exceptions=False)
        if done.exception is not None:
            raise done.exception
        return done.stdout

    return run


def _who(tmp_path, text):
    database = Database(tmp_path / "gpugen.db")
    try:
        return database.call(keeper.check, text)
    finally:
        database.disconnect()


def test_it_prints_the_token_alone_and_the_token_works(run, tmp_path):
    text = run("create", "--scope", "user", "--user", "ann").removesuffix("\n")
    assert text == text.strip()
    assert "\n" not in text
    principal = _who(tmp_path, text)
    assert (principal.scope, principal.user) == ("user", "ann")


def test_as_json_it_prints_what_the_token_is(run, tmp_path):
    made = json.loads(run("create", "--scope", "worker", "--json", "--expires", "2h"))
    assert set(made) == {"id", "token", "scope", "user", "expires_at"}
    assert made["scope"] == "worker"
    assert made["expires_at"].endswith("Z")
    assert _who(tmp_path, made["token"]).user == made["user"]


def test_without_a_name_each_token_is_a_new_users(run):
    users = {json.loads(run("create", "--scope", "user", "--json"))["user"] for _ in range(3)}
    assert len(users) == 3


def test_a_token_that_is_revoked_does_not_work_any_more(run, tmp_path):
    made = json.loads(run("create", "--scope", "user", "--json"))
    run("revoke", made["id"])
    assert _who(tmp_path, made["token"]) is None


def test_the_list_shows_tokens_but_never_their_text(run):
    made = json.loads(run("create", "--scope", "admin", "--json", "--user", "root", "--name", "laptop"))
    table, document = run("list"), json.loads(run("list", "--json"))
    assert made["token"] not in table
    assert made["id"] in table
    assert "laptop" in table
    assert [one["id"] for one in document["tokens"]] == [made["id"]]


def test_wrong_arguments_are_our_errors_and_make_no_token(run):
    with pytest.raises(NotFound):
        run("revoke", "nothing")
    with pytest.raises(Misconfigured, match="not a duration"):
        run("create", "--scope", "user", "--expires", "soon")
    with pytest.raises(InvalidRequest):
        run("create", "--scope", "user", "--user", "two words")
    assert json.loads(run("list", "--json")) == {"tokens": []}


def test_the_database_is_for_its_owner_alone(run, tmp_path):
    run("create", "--scope", "user")
    assert stat.S_IMODE((tmp_path / "gpugen.db").stat().st_mode) == 0o600


def test_listing_the_commands_loads_nothing_heavy():
    code = (
        "import sys, gpugen_server.commands\n"
        "heavy = {'tornado', 'peewee', 'redis', 'structlog', 'msgspec', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
