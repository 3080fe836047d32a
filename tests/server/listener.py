"""A websocket client of the tests: collects what arrives, in a thread."""

from __future__ import annotations

import json
import threading
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gpugen_protocol import paths


class Listener(threading.Thread):
    """Everything that `/events` + `query` brings; raises InvalidStatus if the server refuses."""

    def __init__(self, url: str, token: str, query: str = "", **headers: str) -> None:
        super().__init__(daemon=True)
        self.events: list[dict[str, Any]] = []
        self.closed: ConnectionClosed | None = None
        self._context = connect(
            url.replace("http", "ws") + paths.EVENTS() + query,
            additional_headers={"Authorization": f"Bearer {token}", **headers},
            proxy=None,
            max_size=None,
        )
        self.socket: ClientConnection = self._context.__enter__()
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.events.append(json.loads(self.socket.recv()))
        except ConnectionClosed as closed:
            self.closed = closed

    def say(self, **command: Any) -> None:
        self.socket.send(json.dumps(command))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def numbers(self, task: str | None = None) -> list[int]:
        """The numbers of the numbered events, in order of arrival."""
        return [
            event["seq"]
            for event in self.events
            if event["type"] in {"state", "phase", "image", "log"} and task in (None, event["task"])
        ]

    def close(self) -> None:
        self._context.__exit__(None, None, None)
        self.join(5)
