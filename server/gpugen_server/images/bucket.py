"""Keeps images in a bucket of Google Cloud Storage.

Workers send what they drew to `PREFIX/quarantine/`, by addresses that hold for one object, once, for minutes,
with a bound on its size. The server reads it there, checks it, encodes it anew and writes `PREFIX/images/`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import structlog

from gpugen_protocol.errors import (
    BodyTooLarge,
    GpugenError,
    Misconfigured,
    MissingExtra,
    NotFound,
    Unavailable,
)
from gpugen_protocol.worker import Upload
from gpugen_server.images import names
from gpugen_server.images.signing import Signer
from gpugen_server.images.storage import LINK_SECONDS, SETTLED_SECONDS, Slot

UPLOAD_SECONDS = 600.0  # how long a worker may send one image by one address
PATIENCE = 15.0  # seconds after which a bucket that does not answer counts as away
_CHECKED = 10.0  # seconds for which one look at the bucket is enough
_AWAY = "The bucket does not answer."

log = structlog.get_logger(__name__)


def open_bucket(url: str) -> Bucket:
    """The bucket of `gs://bucket/prefix`, by the credentials of this machine.

    Raises:
        MissingExtra, Misconfigured.
    """
    try:
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import storage
    except ImportError:
        raise MissingExtra(
            "Images in a bucket need google-cloud-storage.", hint="Run: pip install 'gpugen[gcp]'"
        ) from None
    try:
        client = storage.Client()
    except DefaultCredentialsError as error:
        raise Misconfigured(
            f"There are no credentials for {url}.",
            hint="On a VM give it a service account; elsewhere set GOOGLE_APPLICATION_CREDENTIALS.",
        ) from error
    parts = urlsplit(url)
    return Bucket(client, parts.netloc, parts.path.strip("/"), Signer.of(client._credentials))


class Bucket:
    """The image store of `gs://...`.

    Args:
        client: of google-cloud-storage.
        name: the bucket's.
        prefix: what every key begins with; may be empty.
        signer: None: workers send images to the server, and readers get them from there.
        patience: seconds after which the bucket counts as away.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        prefix: str = "",
        signer: Signer | None = None,
        patience: float = PATIENCE,
    ) -> None:
        from google.cloud.storage.retry import DEFAULT_RETRY

        self._bucket = client.bucket(name)
        self._list = partial(client.list_blobs, name)
        self._prefix = f"{prefix}/" if prefix else ""
        self._signer = signer
        self._terms: dict[str, Any] = {
            "timeout": (min(5.0, patience), patience),
            "retry": DEFAULT_RETRY.with_timeout(patience),
        }
        self._good_until = 0.0
        self.quarantine = None if signer is None else BucketQuarantine(self._blob, signer, self._terms)

    def prepare(self) -> None:
        """See that the bucket is there; one that is only away may come back.

        Raises:
            Misconfigured: there is none, or we may not use it.
        """
        from google.api_core.exceptions import Forbidden as Refused
        from google.api_core.exceptions import NotFound as Missing

        try:
            self._look()
        except (Refused, Missing) as error:
            raise Misconfigured(
                f"The bucket {self._bucket.name} cannot be used: {error.message}.",
                hint="Check GPUGEN_STORAGE_URL, and that the server's account is storage.objectUser there.",
            ) from None
        except Exception as error:
            log.warning("the bucket does not answer yet", error=str(error))

    def check(self) -> None:
        """Raises Unavailable if the bucket does not answer."""
        if time.monotonic() < self._good_until:
            return
        with _spoken():
            self._look()
        self._good_until = time.monotonic() + _CHECKED

    def write(self, task: str, index: int, attempt: int, png: bytes) -> str:
        """As `Storage.write`."""
        from google.api_core.exceptions import PreconditionFailed

        name = names.fresh(task, index, attempt)
        # nobody else has this name: if it is taken, then by our own first try, whose answer was lost
        with _spoken(), suppress(PreconditionFailed):
            self._image(name).upload_from_string(
                png, content_type="image/png", if_generation_match=0, **self._terms
            )
        return name

    def read(self, name: str) -> bytes:
        """As `Storage.read`."""
        with _spoken("The file of this image is gone from the server's bucket."):
            data: bytes = self._image(name).download_as_bytes(**self._terms)
            return data

    def link(self, name: str) -> str | None:
        """As `Storage.link`."""
        if self._signer is None:
            return None
        with _spoken():
            return self._signer.sign(self._image(name), "GET", LINK_SECONDS)

    def remove(self, names: list[str]) -> list[str]:
        """As `Storage.remove`; the first one that fails ends it, for the bucket is away."""
        for place, name in enumerate(names):
            if not _removed(self._image(name), self._terms):
                return names[place:]
        return []

    def folders(self) -> list[str]:
        """As `Storage.folders`."""
        root = self._prefix + "images/"
        with _spoken():
            found = self._list(prefix=root, delimiter="/", **self._terms)
            list(found)  # the folders are known once all pages were read
            return sorted(folder.removeprefix(root).rstrip("/") for folder in found.prefixes)

    def settled(self, folder: str) -> list[str]:
        """As `Storage.settled`."""
        root = self._prefix + "images/"
        before = datetime.fromtimestamp(time.time() - SETTLED_SECONDS, UTC)
        with _spoken():
            blobs = list(self._list(prefix=f"{root}{folder}/", **self._terms))
        found = [blob.name.removeprefix(root) for blob in blobs if blob.time_created < before]
        return [name for name in found if names.is_name(name)]

    def _look(self) -> None:
        list(self._list(prefix=self._prefix + "images/", max_results=1, **self._terms))

    def _image(self, name: str) -> Any:
        return self._blob(f"images/{names.checked(name)}")

    def _blob(self, key: str) -> Any:
        return self._bucket.blob(self._prefix + key)


class BucketQuarantine:
    """What workers have sent and nobody has looked at; see `Quarantine`."""

    def __init__(self, blob: Any, signer: Signer, terms: dict[str, Any]) -> None:
        self._blob = blob
        self._signer = signer
        self._terms = terms

    def upload(self, slot: Slot, most: int) -> Upload:
        """As `Quarantine.upload`. All headers are signed: the worker must send exactly these."""
        headers = {
            "Content-Type": "image/png",
            "x-goog-content-length-range": f"1,{most}",
            "x-goog-if-generation-match": "0",
        }
        with _spoken():
            url = self._signer.sign(self._place(slot), "PUT", UPLOAD_SECONDS, headers)
        return Upload(url=url, method="PUT", headers=headers, expires_in=UPLOAD_SECONDS)

    def fetch(self, slot: Slot, most: int) -> bytes:
        """As `Quarantine.fetch`; never more than `most` bytes are read."""
        with _spoken("No image was sent to the bucket."):
            blob = self._place(slot)
            blob.reload(**self._terms)
            if blob.size > most:
                raise BodyTooLarge(f"The image may have at most {most:,} bytes.")
            data: bytes = blob.download_as_bytes(if_generation_match=blob.generation, end=most, **self._terms)
            return data

    def discard(self, slot: Slot) -> None:
        """As `Quarantine.discard`."""
        _removed(self._place(slot), self._terms)

    def _place(self, slot: Slot) -> Any:
        return self._blob(f"quarantine/{slot.task}-{slot.image}-{slot.attempt}")


@contextmanager
def _spoken(missing: str = _AWAY) -> Iterator[None]:
    """Google's errors as ours; `missing` says what it means that an object is not there."""
    from google.api_core.exceptions import NotFound as Missing

    try:
        yield
    except GpugenError:
        raise
    except Missing:
        raise NotFound(missing) from None
    except Exception as error:  # of three libraries: none of theirs may be a 500
        log.warning("the bucket does not answer", error=f"{type(error).__name__}: {error}"[:500])
        raise Unavailable(_AWAY, hint="Images wait until it does.", retry_after=5.0) from None


def _removed(blob: Any, terms: dict[str, Any]) -> bool:
    """Whether it is gone: what could not be dropped costs space, nothing else."""
    from google.api_core.exceptions import NotFound as Missing

    try:
        with suppress(Missing):
            blob.delete(**terms)
    except Exception as error:  # whichever of three libraries it is from
        log.warning("an object stays in the bucket", key=blob.name, error=str(error)[:500])
        return False
    return True
