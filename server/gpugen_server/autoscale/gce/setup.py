"""From the settings to a provider, or to the one sentence that says why not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from importlib.util import find_spec
from urllib.parse import urlsplit

from gpugen_protocol.errors import Misconfigured, MissingExtra
from gpugen_server.autoscale import prices
from gpugen_server.autoscale.gce.cloud import Cloud, Limits
from gpugen_server.autoscale.gce.offers import Catalogue, read_offers
from gpugen_server.autoscale.gce.provider import GceProvider, Terms
from gpugen_server.settings import Settings

SHORTEST_RUN = 300.0  # seconds; less than a boot takes would be of no use
_TEMPLATE = re.compile(r"(projects/[^/]+/global/instanceTemplates/)?[a-z][a-z0-9-]*")
_PRIVATE = (".local", ".internal", ".localdomain", ".lan", ".home.arpa")


def make(settings: Settings, clock: Callable[[], float]) -> GceProvider:
    """The provider that `settings` describe; `clock` gives the time in seconds since the epoch.

    Raises:
        Misconfigured: something is missing or cannot work.
        MissingExtra: Google's library is.
    """
    check(settings)
    limits = Limits(
        template=settings.gce_template,
        max_run_seconds=int(settings.gce_max_run),
        keep=settings.max_workers if settings.gce_keep_stopped else 0,
    )
    terms = Terms(
        limits=limits,
        url=settings.public_url,
        idle_exit=settings.idle_exit,
        models=settings.gce_models,
    )
    cloud = Cloud(settings.gce_project, label(settings.public_url), settings.gce_api_endpoint)
    catalogue = Catalogue(read_offers(settings.gce_zones, settings.gce_machines))
    return GceProvider(cloud, catalogue, prices.read(settings.data), terms, clock)


def check(settings: Settings) -> None:
    """Raises as `make` does."""
    _check_url(settings.public_url)
    for name, example in (
        ("project", "my-project"),
        ("zones", "us-central1-a"),
        ("template", "gpugen-worker"),
    ):
        if not getattr(settings, f"gce_{name}"):
            raise Misconfigured(
                f"The autoscaler gce needs GPUGEN_GCE_{name.upper()}.",
                hint=f"Set it to, for example, {example}; deploy/gcp/README.md sets up a project from zero.",
            )
    read_offers(settings.gce_zones, settings.gce_machines)
    if not _TEMPLATE.fullmatch(settings.gce_template):
        raise Misconfigured(
            f"GPUGEN_GCE_TEMPLATE {settings.gce_template!r} is not an instance template.",
            hint="Write its name, or projects/PROJECT/global/instanceTemplates/NAME.",
        )
    if settings.gce_max_run < SHORTEST_RUN:
        raise Misconfigured(
            f"gce_max_run is {settings.gce_max_run:g}, but must be at least {SHORTEST_RUN:g}."
        )
    if not _has_library():
        raise MissingExtra(
            "The autoscaler gce needs google-cloud-compute.", hint="Run: pip install 'gpugen[gcp]'"
        )


def label(url: str) -> str:
    """The value of the label by which a server knows its machines: it is where they find it.

    So it is the same after a restore of the database, and another one for a copy of the server elsewhere,
    which must not take the first one's machines for strays.
    """
    host = urlsplit(url).hostname or ""
    port = urlsplit(url).port
    return re.sub(r"[^a-z0-9_-]", "-", f"{host}-{port}" if port else host)[:63]


def _has_library() -> bool:
    try:
        return find_spec("google.cloud.compute_v1") is not None
    except ModuleNotFoundError:  # not even the packages that it would be in
        return False


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise Misconfigured(
            "The autoscaler gce needs a GPUGEN_PUBLIC_URL that its machines can reach over https"
            + (f", which {url} is not." if url else "."),
            hint="Give the server a name and a certificate, or a proxy that has them: "
            "--public-url https://gpugen.example.org.",
        )
    if _is_private(parts.hostname):
        raise Misconfigured(
            f"GPUGEN_PUBLIC_URL {url} is an address that no machine in the cloud can reach.",
            hint="Give one that is known to everybody.",
        )


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith(_PRIVATE)
