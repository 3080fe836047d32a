"""What `gpugen doctor` says of the database, with real ones."""

import pytest
from tests.server.programs import environment

from gpugen.checkup.database import database


@pytest.fixture
def look(tmp_path):
    """`look(**environ)`: the finding."""

    def look(**environ):
        return database(environment(tmp_path / "data", **environ))

    return look


def test_a_sqlite_file_needs_no_look_and_is_not_made_by_one(look, tmp_path):
    found = look()
    assert (found.part, found.state) == ("database", "ok")
    assert "SQLite" in found.text
    assert not (tmp_path / "data").exists()


def test_who_uses_a_server_elsewhere_needs_no_database(look):
    assert "elsewhere" in look(GPUGEN_URL="http://127.0.0.1:1").text


def test_a_postgresql_that_is_up_to_date_is_said_to_be_with_its_version(look, postgres_url):
    found = look(GPUGEN_DATABASE_URL=postgres_url)
    assert found.state == "ok"
    assert "has version" in found.text


def test_an_address_in_the_config_file_counts_as_well(look, postgres_url, tmp_path):
    (tmp_path / "gpugen.toml").write_text(f'[server]\ndatabase_url = "{postgres_url}"\n')
    assert look().text.startswith("PostgreSQL: ")


def test_an_empty_postgresql_brings_the_command_that_makes_its_tables(look, postgres):
    try:
        found = look(GPUGEN_DATABASE_URL=postgres.make("bare"))
    finally:
        postgres.drop("bare")
    assert found.state == "fail"
    assert "is empty" in found.text
    assert "gpugen db upgrade" in found.hint


def test_a_postgresql_that_does_not_answer_is_a_failure_without_its_password(look):
    found = look(GPUGEN_DATABASE_URL="postgresql://ann:secret@127.0.0.1:1/gpugen")
    assert found.state == "fail"
    assert "refused" in found.text
    assert "GPUGEN_DATABASE_URL" in found.hint
    assert "secret" not in found.text + found.hint
