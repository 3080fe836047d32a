"""The peer of the fan-out: a Tornado server that does `write_message(dict)` for every client."""

from __future__ import annotations

import asyncio
import json
import sys

from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

CLIENTS: set[WebSocketHandler] = set()


class Socket(WebSocketHandler):
    def open(self) -> None:
        CLIENTS.add(self)

    def on_close(self) -> None:
        CLIENTS.discard(self)

    def check_origin(self, origin: str) -> bool:
        return True


class Post(RequestHandler):
    def post(self) -> None:
        """Every event of the body to every client."""
        for event in json.loads(self.request.body)["events"]:
            message = {
                "task": "01j9zq2m8v3w4x5y6z7a8b9c0d",
                "at": "2026-01-01T00:00:00Z",
                **event,
            }
            for client in CLIENTS:
                client.write_message(message)
        self.finish("{}")


async def main() -> None:
    server = Application([("/post", Post), ("/ws", Socket)]).listen(0, "127.0.0.1")
    print(next(iter(server._sockets.values())).getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
