"""Tests of the server's settings."""

import pytest

from gpugen_protocol.errors import Misconfigured
from gpugen_server.settings import read


@pytest.fixture
def environ(tmp_path):
    return {"GPUGEN_DATA_DIR": str(tmp_path / "data"), "GPUGEN_CONFIG": str(_config(tmp_path, ""))}


def _config(folder, text):
    path = folder / "gpugen.toml"
    path.write_text(text)
    return path


def test_a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default(environ, tmp_path):
    _config(tmp_path, "[server]\nport = 1\nlease_seconds = '1m'\nmax_workers = 2\n")
    settings = read(
        {"port": 3, "max_workers": None}, {**environ, "GPUGEN_PORT": "2", "GPUGEN_LEASE_SECONDS": "2m"}
    )
    assert (settings.port, settings.lease_seconds, settings.max_workers) == (3, 120.0, 2)
    assert settings.host == "127.0.0.1"


def test_every_place_defaults_to_the_data_directory(environ, tmp_path):
    settings = read({}, environ)
    assert settings.database_file == tmp_path / "data" / "gpugen.db"
    assert settings.images == tmp_path / "data" / "images"


def test_a_folder_with_blanks_and_umlauts_survives_being_a_url(environ, tmp_path):
    folder = tmp_path / "meine Bilder äö%20"
    settings = read({"storage_url": folder.as_uri()}, environ)
    assert settings.images == folder


def test_a_relative_database_is_taken_from_the_current_folder(environ, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read({"database_url": "my.db"}, environ).database_file == tmp_path / "my.db"
    assert read({"database_url": f"sqlite://{tmp_path}/x.db"}, environ).database_file == tmp_path / "x.db"


def test_a_postgresql_database_has_an_address_and_no_file(environ):
    settings = read({"database_url": "postgresql://u:secret@h/db"}, environ)
    assert (settings.database_url, settings.database_file) == ("postgresql://u:secret@h/db", None)


def test_switches_sums_and_durations_of_the_environment_are_understood(environ):
    cloud = {"GPUGEN_GCE_KEEP_STOPPED": "1", "GPUGEN_GCE_MAX_RUN": "2h", "GPUGEN_MAX_COST_PER_DAY": "2.5"}
    settings = read({}, {**environ, **cloud})
    assert (settings.gce_keep_stopped, settings.gce_max_run, settings.max_cost_per_day) == (True, 7200.0, 2.5)


def test_a_short_lease_alone_brings_heartbeats_that_fit_it(environ):
    assert read({"lease_seconds": "3"}, environ).heartbeat_seconds == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"database_url": "mysql://h/db"}, "no database that gpugen knows"),
        ({"storage_url": "bilder"}, "not a place for images"),
        ({"redis_url": "localhost:6379"}, "not the address of a Redis server"),
        ({"autoscaler": "cloud"}, "autoscaler"),
        ({"port": 99999}, "between 0 and 65535"),
        ({"port": "many"}, "port"),
        ({"idle_exit": "soon"}, "not a duration"),
        ({"max_workers": 0}, "max_workers is 0"),
        ({"max_cost_per_day": "-1"}, "max_cost_per_day"),
        ({"lease_seconds": 10, "heartbeat_seconds": 6}, "would lose the lease"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_in_one_sentence(environ, flags, words):
    with pytest.raises(Misconfigured) as refused:
        read(flags, environ)
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server", "not valid TOML"),
        ("server = 3", "must be a table"),
        ("[server]\nprot = 1", "Known there: port"),
    ],
)
def test_a_config_file_that_cannot_be_used_is_named(environ, tmp_path, text, words):
    _config(tmp_path, text)
    with pytest.raises(Misconfigured) as refused:
        read({}, environ)
    assert words in str(refused.value)
    assert "gpugen.toml" in str(refused.value)


def test_a_config_file_that_is_named_but_missing_is_an_error(environ, tmp_path):
    with pytest.raises(Misconfigured, match="does not exist"):
        read({}, {**environ, "GPUGEN_CONFIG": str(tmp_path / "other.toml")})
