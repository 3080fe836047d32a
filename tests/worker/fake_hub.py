"""A model hub on loopback with repositories made of folders: enough of its API for a download."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class FakeHub:
    """`repositories` maps owner/name to the folder that `main` is; `commit` is the commit of all of them."""

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.commit = "a" * 40
        self.downloads: list[str] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def files(self, repository: str) -> list[str]:
        root = self.repositories[repository]
        return sorted(
            str(path.relative_to(root))
            for path in root.rglob("*")
            if path.is_file() and ".scratch" not in path.parts
        )


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def _answer(self, send_body: bool) -> None:
        path = self.path.split("?")[0].strip("/").split("/")
        api = path[:2] == ["api", "models"]
        repository = "/".join(path[2:4] if api else path[:2])
        rest = path[4:] if api else path[2:]
        if repository in self.hub.gated:
            self._send(403, b"gated", {"X-Error-Code": "GatedRepo"}, send_body)
        elif repository not in self.hub.repositories:
            self._send(404, b"no such", {"X-Error-Code": "RepoNotFound"}, send_body)
        elif not api:
            self._file(repository, "/".join(rest[2:]), send_body)
        else:
            self._send(200, json.dumps(self._listing(repository, rest)).encode(), {}, send_body)

    def _listing(self, repository: str, rest: list[str]) -> Any:
        files = self.hub.files(repository)
        if rest[:1] == ["tree"]:
            root = self.hub.repositories[repository]
            return [
                {"type": "file", "path": name, "size": (root / name).stat().st_size, "oid": "0" * 40}
                for name in files
            ]
        return {
            "id": repository,
            "sha": self.hub.commit,
            "siblings": [{"rfilename": name} for name in files],
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "private": False,
        }

    def _file(self, repository: str, name: str, send_body: bool) -> None:
        path = self.hub.repositories[repository] / name
        if not path.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, send_body)
        if send_body:
            self.hub.downloads.append(name)
        data = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": self.hub.commit}
        return self._send(200, data, headers, send_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], send_body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if send_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
