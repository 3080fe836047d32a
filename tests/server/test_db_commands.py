"""Tests of `gpugen db`, on both kinds of database."""

import pytest
from click.testing import CliRunner

from gpugen_protocol.errors import Misconfigured
from gpugen_server.commands import db, token
from gpugen_server.database.schema import VERSION


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """The address of a database without any table."""
    if request.param == "sqlite":
        yield str(tmp_path / "gpugen.db")
        return
    postgres = request.getfixturevalue("postgres")
    yield postgres.make("bare")
    postgres.drop("bare")


@pytest.fixture
def run(url, tmp_path, monkeypatch):
    """`run(command, *arguments)`: what it says on stderr; raises our errors."""
    monkeypatch.setenv("GPUGEN_DATABASE_URL", url)
    monkeypatch.setenv("GPUGEN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GPUGEN_CONFIG", str(tmp_path / "gpugen.toml"))
    (tmp_path / "gpugen.toml").touch()

    def run(command, *arguments):
        done = CliRunner().invoke(command, arguments, standalone_mode=False, catch_exceptions=False)
        if done.exception is not None:
            raise done.exception
        return done.stderr

    return run


def test_an_upgrade_makes_the_tables_and_a_check_agrees(run):
    with pytest.raises(Misconfigured, match=rf"is empty; this gpugen needs {VERSION}"):
        run(db, "check")
    assert run(db, "upgrade") == f"The database has version {VERSION}; it had 0.\n"
    assert run(db, "upgrade") == f"The database has version {VERSION}.\n"
    assert run(db, "check") == f"The database has version {VERSION}, and all its tables are there.\n"


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_token_is_not_made_in_a_postgresql_without_tables(run):
    with pytest.raises(Misconfigured) as refused:
        run(token, "create", "--scope", "user")
    assert "gpugen db upgrade" in refused.value.hint
