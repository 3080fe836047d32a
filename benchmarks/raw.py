"""An HTTP client of a few lines: the server is measured, and on two cores a client's comfort would count."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit


class RawClient:
    """One kept connection; every request is a POST of JSON."""

    def __init__(self, url: str, token: str = "") -> None:
        place = urlsplit(url)
        self._socket = socket.create_connection((place.hostname or "", place.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f"Host: {place.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        )

    def post(self, path: str, body: bytes, more: str = "") -> bytes:
        """The body of the answer; `more` are header lines.

        Raises:
            RuntimeError: the answer is not a good one.
        """
        head = f"POST {path} HTTP/1.1\r\n{self._head}{more}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        return self._answer(path)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _answer(self, path: str) -> bytes:
        data = self._socket.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more(path)
        if data[9:10] != b"2":
            raise RuntimeError(f"{path}: {data.decode('latin-1')}")
        start = data.lower().find(b"content-length:", 0, end) + 15
        length = int(data[start : data.find(b"\r\n", start)]) if start > 14 else 0
        while len(data) < end + 4 + length:
            data += self._more(path)
        return data[end + 4 :]

    def _more(self, path: str) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise RuntimeError(f"{path}: the server hung up")
        return data
