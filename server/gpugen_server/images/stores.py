"""The kinds of stores there are, and which one a URL names."""

from __future__ import annotations

from urllib.parse import urlsplit

from gpugen_server.images.bucket import open_bucket
from gpugen_server.images.directory import Directory
from gpugen_server.images.storage import Storage
from gpugen_server.settings import Settings


def open_storage(settings: Settings) -> Storage:
    """The store that the settings name.

    Raises:
        MissingExtra: it is a bucket, and the library for it is not installed.
        Misconfigured: there are no credentials for it.
    """
    if urlsplit(settings.storage_url).scheme == "gs":
        return open_bucket(settings.storage_url)
    return Directory(settings.images)
