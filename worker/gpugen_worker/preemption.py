"""Whether Google Compute Engine is about to take this machine away, told by its metadata server.

A spot machine has 30 seconds from there to its end. The way of asking is Google's: a request that hangs until
the value is another one than the one we have seen.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from gpugen_worker.backoff import Backoff
from gpugen_worker.log import log

HOST = "metadata.google.internal"
_PRODUCT = Path("/sys/class/dmi/id/product_name")
_PATH = "/computeMetadata/v1/instance/preempted"
_NOTHING_SEEN = "0"  # no value has this ETag, so the first answer comes at once
WAIT = 60  # seconds for which the metadata server may let us hang
_REACH = 10.0  # seconds for it to answer beyond that


def metadata_host(environ: Mapping[str, str], product: Path = _PRODUCT) -> str:
    """Where this machine's metadata server answers; empty on machines that are not Google's.

    Told without the network, as Google's libraries do: by `GCE_METADATA_HOST`, else by the machine's name.
    """
    named = environ.get("GCE_METADATA_HOST", "")
    if named:
        return named
    try:
        return HOST if product.read_text(encoding="utf-8").startswith("Google") else ""
    except (OSError, UnicodeDecodeError):
        return ""


def watch(host: str, on_notice: Callable[[], None]) -> None:
    """Call `on_notice` once, from a thread of its own, when the machine is to be taken away.

    Args:
        host: the metadata server, with its port where that is not 80; empty: nobody is asked.
        on_notice: returns at once.
    """
    if host:
        threading.Thread(target=_watch, args=(host, on_notice), name="preemption", daemon=True).start()


def _watch(host: str, on_notice: Callable[[], None]) -> None:
    backoff = Backoff(longest=5.0)
    seen = _NOTHING_SEEN
    pause = threading.Event()
    while True:
        try:
            preempted, seen = _ask(host, seen)
        except (OSError, http.client.HTTPException) as error:
            log.debug("The metadata server does not answer: %s", error)
            pause.wait(backoff.next())
            continue
        backoff.reset()
        if preempted:
            log.warning("This machine is about to be taken away")
            return on_notice()


def _ask(host: str, seen: str) -> tuple[bool, str]:
    """Whether the machine is preempted, and the ETag of that answer; hangs while it is still `seen`."""
    connection = http.client.HTTPConnection(host, timeout=WAIT + _REACH)
    try:
        query = {"wait_for_change": "true", "timeout_sec": WAIT, **({"last_etag": seen} if seen else {})}
        connection.request("GET", f"{_PATH}?{urlencode(query)}", headers={"Metadata-Flavor": "Google"})
        answer = connection.getresponse()
        value = answer.read(100).strip()
        if answer.status != HTTPStatus.OK:
            raise http.client.HTTPException(f"status {answer.status}")
        return value == b"TRUE", answer.headers.get("ETag", "")
    finally:
        connection.close()
