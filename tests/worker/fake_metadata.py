"""The part of Compute Engine's metadata server that our machines read, as documented."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class FakeMetadata:
    """Answers `instance/preempted`; `attributes` are what the machine was started with.

    Attributes:
        asked: the ETags that the requests which hang, or have hung, had seen.
        broken: how many of the next requests are answered with an error.
    """

    def __init__(self, **attributes: str) -> None:
        self.attributes = attributes
        self.asked: list[str] = []
        self.broken = 0
        self._preempted = False
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"metadata": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.host = f"127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def preempt(self) -> None:
        """Take the machine away."""
        with self._changed:
            self._preempted = True
            self._changed.notify_all()

    def close(self) -> None:
        self.preempt()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def preempted(self, query: dict[str, list[str]]) -> tuple[str, str]:
        """Value and ETag, once they are news to who asks."""
        seen = query.get("last_etag", [self.etag])[0]
        with self._changed:
            self.asked.append(seen)
            if "wait_for_change" in query:
                self._changed.wait_for(lambda: seen != self.etag, float(query["timeout_sec"][0]))
            return ("TRUE" if self._preempted else "FALSE"), self.etag

    @property
    def etag(self) -> str:
        return "after" if self._preempted else "before"


class _Handler(BaseHTTPRequestHandler):
    metadata: FakeMetadata

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        state = self.metadata
        if self.headers["Metadata-Flavor"] != "Google":
            return self._send(403, "Missing Metadata-Flavor:Google header.")
        if state.broken:
            state.broken -= 1
            return self._send(503, "try again")
        kind, _, name = url.path.removeprefix("/computeMetadata/v1/instance/").partition("/")
        if kind == "preempted":
            return self._send(200, *state.preempted(parse_qs(url.query)))
        if kind == "attributes" and name in state.attributes:
            return self._send(200, state.attributes[name])
        return self._send(404, "not found")

    def _send(self, status: int, text: str, etag: str = "-") -> None:
        self.send_response(status)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass
