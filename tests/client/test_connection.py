from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gpugen_client.connection import Connection, is_loopback
from gpugen_protocol import paths
from gpugen_protocol.errors import (
    GpugenError,
    Misconfigured,
    NotFound,
    ServerUnreachable,
    Unauthorized,
    Unavailable,
)
from gpugen_protocol.models import ModelList
from gpugen_protocol.task import Task


class Answers(BaseHTTPRequestHandler):
    """Gives the answers of `script` one after the other, and keeps what it was asked."""

    script: ClassVar[list[tuple[int, bytes]]] = []
    asked: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append(dict(self.headers))
        status, body = self.script.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    Answers.script, Answers.asked = [], []
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)
    server.server_close()


def connect(server: HTTPServer) -> Connection:
    return Connection(f"http://127.0.0.1:{server.server_port}", "secret")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://localhost", "http://[::1]:5", "http://a.localhost"]
)
def test_this_machine_is_loopback(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "http://example.org", "http://localhost.example.org", "x"]
)
def test_others_are_not(url: str) -> None:
    assert not is_loopback(url)


@pytest.mark.parametrize(
    "url", ["", "localhost:8787", "ftp://localhost", "http://", "http://[::1", "http://host:port"]
)
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(Misconfigured, match="http://host:port"):
        Connection(url, "token")


def test_an_answer_is_checked_and_typed(server: Any) -> None:
    models = server.connection().call("GET", paths.MODELS(), ModelList)
    assert models.default in {model.name for model in models.models}


def test_a_problem_document_becomes_its_error(server: Any) -> None:
    with pytest.raises(NotFound):
        server.connection().call("GET", paths.TASK(id="nope"), Task)


def test_an_entry_in_netrc_is_not_sent_instead_of_the_token(
    answering: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 0.0.0.0 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    Answers.script = [(200, b"{}")]
    address = (
        f"http://0.0.0.0:{answering.server_port}"  # this machine, but no loopback address: netrc is read
    )
    Connection(address, "secret").send("GET", "/")
    assert Answers.asked[0]["Authorization"] == "Bearer secret"


def test_a_proxy_is_not_used_for_this_machine(answering: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    Answers.script = [(200, b"{}")]
    assert connect(answering).send("GET", "/").status_code == 200


def test_a_server_that_is_busy_for_a_moment_is_asked_again(answering: HTTPServer) -> None:
    Answers.script = [(503, b""), (502, b""), (200, b"{}")]
    assert connect(answering).send("GET", "/").status_code == 200


def test_a_server_that_stays_busy_is_an_error_of_its_own(answering: HTTPServer) -> None:
    Answers.script = [(503, b"")] * 4
    with pytest.raises(Unavailable):
        connect(answering).send("GET", "/")


def test_a_page_of_somebody_else_is_not_taken_for_an_answer(answering: HTTPServer) -> None:
    Answers.script = [(200, b"<html>log in</html>")]
    with pytest.raises(GpugenError, match="not gpugen's"):
        connect(answering).call("GET", "/", Task)


def test_an_error_page_of_a_proxy_becomes_the_error_of_its_status(answering: HTTPServer) -> None:
    Answers.script = [(401, b"<html>no</html>")]
    with pytest.raises(Unauthorized):
        connect(answering).send("GET", "/")


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ServerUnreachable, match=r"http://127\.0\.0\.1:9"):
        Connection("http://127.0.0.1:9", "x", retries=0).send("GET", "/")


def test_a_server_that_says_nothing_is_given_up_after_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(f"http://127.0.0.1:{listener.getsockname()[1]}", "x", retries=1)
        with pytest.raises(ServerUnreachable, match="does not answer in time"):
            connection.send("GET", "/", timeout=(1.0, 0.1))


@pytest.mark.parametrize("token", ["\u201csecret\u201d", "two\nlines", "two words", "nul\0"])
def test_a_token_that_no_header_can_carry_is_refused_at_once_and_not_repeated(token: str) -> None:
    with pytest.raises(Misconfigured, match="token") as caught:
        Connection("http://127.0.0.1:9", token)
    assert token not in str(caught.value)
