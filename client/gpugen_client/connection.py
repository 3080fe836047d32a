"""One server and one token: HTTP requests in, checked values or our errors out."""

from __future__ import annotations

import ipaddress
import threading
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import TimeoutError as Slow
from urllib3.util.retry import Retry

from gpugen_protocol import __version__, wire
from gpugen_protocol.errors import GpugenError, Misconfigured, ServerUnreachable, from_problem

T = TypeVar("T")

TIMEOUT = (5.0, 10.0)  # seconds to connect, seconds between two bytes of the answer


def is_loopback(url: str) -> bool:
    """Whether `url` points at this machine; such requests must never go through a proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class _Bearer(requests.auth.AuthBase):
    """Sets the token itself: without an auth object requests would prefer an entry of ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Connection:
    """A server's address and a token; safe to share between threads (each has its own session).

    Args:
        url: such as `http://127.0.0.1:8787`.
        token: sent with every request.
        retries: how often a request is sent again after a refused or broken connection or a 502/503/504.
        timeout: seconds to connect, seconds between two bytes of the answer.

    Raises:
        Misconfigured: no address, or a token that no header can carry.
    """

    def __init__(
        self, url: str, token: str, *, retries: int = 3, timeout: tuple[float, float] = TIMEOUT
    ) -> None:
        if not _is_address(url):
            raise Misconfigured(f"{url!r} is not the address of a server.", hint="Write http://host:port.")
        if not _is_token(token):
            raise Misconfigured(
                "The token holds what no token has, such as a blank, a line break or a curly quote.",
                hint="Copy it again, alone; see GPUGEN_TOKEN, GPUGEN_TOKEN_FILE and the config file.",
            )
        self.url = url.rstrip("/")
        self.token = token
        self.loopback = is_loopback(url)
        self._retries = retries
        self._timeout = timeout
        self._local = threading.local()

    def call(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        body: msgspec.Struct | None = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> T:
        """Send `body` as JSON and give the answer as a `kind`.

        Raises:
            ServerUnreachable: no answer.
            GpugenError: the class that the server's problem document names.
        """
        response = self.send(
            method,
            path,
            data=None if body is None else wire.encode(body),
            params=params,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        if kind is type(None):
            return None
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError:
            raise GpugenError(
                f"{self.url} answered with something that is not gpugen's.",
                hint="Is GPUGEN_URL right, and has the server this version of gpugen?",
            ) from None

    def send(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: tuple[float, float] | None = None,
    ) -> requests.Response:
        """The raw answer to a request; raises as `call`."""
        try:
            response = self._session().request(
                method,
                self.url + path,
                data=data,
                params=params,
                headers=headers,
                timeout=timeout or self._timeout,
            )
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        if response.status_code >= 400:
            raise from_problem(response.content, response.status_code)
        return response

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._open_session()
        return session

    def _open_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = not self.loopback
        session.auth = _Bearer(self.token)
        session.headers["User-Agent"] = f"gpugen/{__version__}"
        retry = Retry(
            total=self._retries,
            backoff_factor=0.2,
            backoff_jitter=0.1,
            status_forcelist=(502, 503, 504),
            allowed_methods=None,  # every write of our API may be sent twice: see Idempotency-Key and leases
            respect_retry_after_header=False,  # a person who is told to wait must hear it, not hang
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        return session

    def _unreachable(self, error: requests.RequestException) -> GpugenError:
        reason = "does not answer in time" if _is_timeout(error) else "refused or broke the connection"
        return ServerUnreachable(
            f"The gpugen server at {self.url} {reason}.",
            hint="Is it running, and is GPUGEN_URL right? `gpugen doctor` looks at every part.",
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, a port that is no number
        return False


def _is_token(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token


def _is_timeout(error: requests.RequestException) -> bool:
    """Whether nothing came in time; after retries the reason hides inside."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    refused = isinstance(reason, NewConnectionError)  # which urllib3 counts among the slow ones
    return isinstance(error, requests.Timeout) or (isinstance(reason, Slow) and not refused)
