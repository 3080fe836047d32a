"""Tests of which server and which token are used."""

import pytest

from gpugen_client import address
from gpugen_client.access import connect
from gpugen_client.named import is_named
from gpugen_protocol.errors import Misconfigured, ServerUnreachable

URL = "http://gpu-server:8787"


@pytest.fixture
def environ(tmp_path):
    return {"GPUGEN_DATA_DIR": str(tmp_path / "data"), "GPUGEN_CONFIG": str(tmp_path / "gpugen.toml")}


def _named(*args, **environ):
    connection = connect(*args, environ=environ)
    return connection.url, connection.token


def test_arguments_win_over_the_environment(environ):
    environ |= {"GPUGEN_URL": URL, "GPUGEN_TOKEN": "theirs"}
    assert _named("http://other:1", "mine", **environ) == ("http://other:1", "mine")


def test_the_environment_wins_over_the_config_file(environ, tmp_path):
    (tmp_path / "gpugen.toml").write_text('[client]\nurl = "http://file:1"\ntoken = "t"\n')
    assert _named(**environ) == ("http://file:1", "t")
    assert _named(**environ, GPUGEN_URL=URL, GPUGEN_TOKEN="e") == (URL, "e")


def test_a_token_file_holds_the_token_alone(environ, tmp_path):
    (tmp_path / "token").write_text("gpg_u_x\n")
    assert _named(**environ, GPUGEN_URL=URL, GPUGEN_TOKEN_FILE=str(tmp_path / "token")) == (URL, "gpg_u_x")


def test_a_token_is_never_sent_to_another_server_than_its_own(environ, tmp_path):
    (tmp_path / "gpugen.toml").write_text('[client]\nurl = "http://file:1"\ntoken = "t"\n')
    environ |= {"GPUGEN_URL": URL, "GPUGEN_TOKEN": "theirs"}
    with pytest.raises(Misconfigured, match="no token for the gpugen server at http://evil:1"):
        connect("http://evil:1", environ=environ)


def test_a_slash_at_the_end_does_not_make_it_another_server(environ):
    environ |= {"GPUGEN_URL": URL, "GPUGEN_TOKEN": "theirs"}
    assert _named(URL + "/", **environ) == (URL, "theirs")


def test_a_server_without_a_token_is_one_clear_sentence(environ):
    with pytest.raises(Misconfigured) as refused:
        connect(environ={**environ, "GPUGEN_URL": URL})
    assert f"There is no token for the gpugen server at {URL}." in str(refused.value)
    assert "GPUGEN_TOKEN_FILE" in str(refused.value)


def test_a_token_without_a_server_is_refused_rather_than_ignored(environ):
    with pytest.raises(Misconfigured, match="no server"):
        connect(token="t", environ=environ)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"  \n", "is empty"),
        (b"one two", "something else than one token"),
        (b"one\ntwo\n", "something else than one token"),
        (b"\xff\xfe", "something else than one token"),
    ],
)
def test_a_token_file_that_cannot_be_used_is_named(environ, tmp_path, content, words):
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured) as refused:
        connect(environ={**environ, "GPUGEN_URL": URL, "GPUGEN_TOKEN_FILE": str(path)})
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("text", ["[client", "client = 1", "[client]\nurl = 5"])
def test_a_config_file_that_cannot_be_used_is_one_sentence(environ, tmp_path, text):
    (tmp_path / "gpugen.toml").write_text(text)
    with pytest.raises(Misconfigured):
        connect(environ=environ)


def test_an_address_that_is_none_is_refused(environ):
    with pytest.raises(Misconfigured, match="is not the address of a server"):
        connect("gpu-server:8787", "t", environ=environ)


def test_looking_alone_starts_nothing(environ, tmp_path):
    with pytest.raises(ServerUnreachable, match="No gpugen server is running"):
        connect(environ=environ, start=False)
    assert not (tmp_path / "data").exists()


def test_a_server_is_named_by_the_environment_or_the_file(environ, tmp_path):
    assert not is_named(environ)
    assert is_named({**environ, "GPUGEN_URL": URL})
    (tmp_path / "gpugen.toml").write_text('[client]\nurl = "http://file:1"\n')
    assert is_named(environ)


def test_the_private_servers_own_address_names_no_other_server(environ, tmp_path):
    environ["GPUGEN_URL"] = address.reserve(tmp_path / "data")
    assert not is_named(environ)
    with pytest.raises(ServerUnreachable, match="No gpugen server is running"):
        connect(environ=environ, start=False)
