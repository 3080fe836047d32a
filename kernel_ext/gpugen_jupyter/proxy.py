"""Passes a request of the browser on to the gpugen server, and the answer back as it comes."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from jupyter_server.auth import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from msgspec import Struct
from tornado.httputil import HTTPHeaders
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, authenticated

from gpugen_jupyter.upstream import Call, Upstream
from gpugen_protocol import wire
from gpugen_protocol.errors import PROBLEM_TYPE, BodyTooLarge, GpugenError, Unauthorized, Unavailable
from gpugen_protocol.paths import Path

AUTH_RESOURCE = "gpugen"  # what an authorizer of Jupyter is asked about
_ASKED = ("Accept", "Content-Type", "Idempotency-Key", "If-None-Match")
_ANSWERED = ("Content-Type", "Content-Length", "Content-Disposition", "Cache-Control", "ETag", "Retry-After")


class Way(Struct, frozen=True, kw_only=True):
    """One address that is passed on: for which methods, up to how many bytes sent, for how many seconds."""

    path: Path
    methods: tuple[str, ...]
    max_body: int = 1 << 20
    seconds: float = 60.0


class Proxy(ExtensionHandlerMixin, APIHandler):  # type: ignore[misc]  # jupyter_server is not typed
    """One address of the gpugen server. The browser shows Jupyter's credentials and never sees gpugen's."""

    auth_resource = AUTH_RESOURCE

    def initialize(self, name: str, way: Way) -> None:
        """`way` is what is passed on."""
        super().initialize(name)
        self._way = way

    @authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def get(self, **values: str) -> None:
        """Read; polling must not keep an idle Jupyter server alive."""
        self._track_activity = False
        await self._pass_on(values)

    @authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def post(self, **values: str) -> None:
        """Submit, cancel, retry."""
        await self._pass_on(values)

    @authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def delete(self, **values: str) -> None:
        """Remove."""
        await self._pass_on(values)

    async def _pass_on(self, values: dict[str, str]) -> None:
        if self.request.method not in self._way.methods:
            raise HTTPError(405)
        try:
            await self._relay(self._call(values))
        except GpugenError as error:
            self._say(error)
        except StreamClosedError:  # the browser has gone; it wants no answer any more
            self.log.debug("Nobody waited for the answer to %s.", self.request.path)

    def _call(self, values: dict[str, str]) -> Call:
        if len(self.request.body) > self._way.max_body:
            raise BodyTooLarge(f"The body has more than {self._way.max_body} bytes.")
        headers = {name: self.request.headers[name] for name in _ASKED if name in self.request.headers}
        return Call(
            method=str(self.request.method),
            target=target(self._way.path, values, self.request.query),
            headers=headers,
            body=self.request.body or None,
            seconds=self._way.seconds,
        )

    async def _relay(self, call: Call) -> None:
        """The answer, chunk by chunk, no faster than the browser takes it."""
        upstream: Upstream = self.settings["gpugen_upstream"]
        lines: list[str] = []
        response = await upstream.fetch(call, lines.append, lambda chunk: self._send(lines, chunk))
        if response.code == 401:
            upstream.forget()
            raise Unauthorized("The gpugen server does not accept the token this Jupyter server has.")
        if not self._headers_written:
            self._start(lines)
        kind = response.headers.get("Content-Type", "application/json")
        await self.finish(set_content_type=kind)

    async def _send(self, lines: list[str], chunk: bytes) -> None:
        if lines[0].split()[1] == "401":
            return
        if not self._headers_written:
            self._start(lines)
        self.write(chunk)
        await self.flush()

    def _start(self, lines: list[str]) -> None:
        """Status and headers of the answer, from its raw head."""
        self.set_status(int(lines[0].split()[1]))
        headers = HTTPHeaders.parse("".join(lines[1:]))
        for name in _ANSWERED:
            if name in headers:
                self.set_header(name, headers[name])

    def _say(self, error: GpugenError) -> None:
        """Tell `error`; what is wrong between us and the gpugen server is not the browser's fault: 503."""
        if self._headers_written:
            self.detach().close()  # too late for words: half an image must not count as one
            return
        problem = error.problem()
        if not isinstance(error, BodyTooLarge):
            problem = msgspec.structs.replace(problem, status=Unavailable.status)
        self.set_status(problem.status)
        self.finish(wire.encode(problem), set_content_type=PROBLEM_TYPE)


def target(path: Path, values: dict[str, Any], query: str) -> str:
    """The path with its values and the query, without what is Jupyter's own in it."""
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in {"token", "_xsrf"}]
    return path(**values) + (f"?{urlencode(kept)}" if kept else "")
