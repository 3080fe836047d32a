"""Tests of the token a private server makes for itself."""

import pytest

from gpugen_server import tokens
from gpugen_server.database import Database
from gpugen_server.keys import Keys
from gpugen_server.settings import read
from gpugen_server.tokens import keeper


@pytest.fixture
def environ(tmp_path):
    return {"GPUGEN_DATA_DIR": str(tmp_path)}


def _who(settings, text):
    database = Database(settings.database_url)
    try:
        return database.call(keeper.check, text)
    finally:
        database.disconnect()


def test_each_start_makes_a_fresh_token_and_ends_the_old_one(environ):
    settings = read({"private": True, "autoscaler": "local"}, environ)
    first, second = Keys.renew(settings), Keys.renew(settings)
    assert _who(settings, first.user) is None
    assert _who(settings, second.user).user == "local"
    assert _who(settings, second.user).scope == "user"


def test_they_do_not_count_as_somebodys_token(environ):
    settings = read({"private": True, "autoscaler": "local"}, environ)
    Keys.renew(settings)
    assert not Keys.renew(settings).exist
    database = Database(settings.database_url)
    database.call(tokens.create, "user", "ann", "")
    database.disconnect()
    assert Keys.renew(settings).exist


def test_a_server_for_everybody_makes_none(environ):
    assert Keys.renew(read({"autoscaler": "local"}, environ)).user == ""
