"""The least that a Tornado server can do with a POST: `python -m benchmarks.trivial` prints its port."""

from __future__ import annotations

import asyncio

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler


class Trivial(RequestHandler):
    """Reads a body, sends an answer."""

    def post(self) -> None:
        """The same for everybody."""
        self.set_header("Content-Type", "application/json")
        self.finish(b'{"leases":[]}')


async def main() -> None:
    """Serve until killed."""
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application([("/", Trivial)], log_function=lambda _: None)).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
