"""Stands between client and server and loses answers: the request arrives, the reply does not."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class FlakyProxy:
    """Passes on whole connections; of the first `losing` of them the answer is dropped.

    Attributes:
        lost: how many answers were dropped.
    """

    def __init__(self, port: int, losing: int) -> None:
        self.lost = 0
        self._port = port
        self._losing = losing
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FlakyProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        """One request of one connection: enough for these tests."""
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            head, _, rest = _read_head(client).partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            while len(rest) < length:
                rest += client.recv(65536)
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            server.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + rest)
            answer = b"".join(iter(lambda: server.recv(65536), b""))
            if self.lost < self._losing:
                self.lost += 1
            else:
                client.sendall(answer)


def _read_head(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(65536)
    return head
