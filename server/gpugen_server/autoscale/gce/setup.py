"""From the settings to a provider, or to the one sentence that says why not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection
from importlib.util import find_spec
from urllib.parse import SplitResult, urlsplit

from gpugen_protocol.errors import Misconfigured, MissingExtra
from gpugen_server.autoscale import prices
from gpugen_server.autoscale.gce.cloud import Cloud, Limits
from gpugen_server.autoscale.gce.offers import Catalogue, read_offers
from gpugen_server.autoscale.gce.provider import GceProvider, Terms
from gpugen_server.settings import Settings

_BOUNDS = {  # seconds; less than a boot takes would be of no use, and more than 120 days the cloud refuses
    "gce_max_run": (300.0, 120 * 86400.0),
    "gce_boot": (60.0, 86400.0),
}
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
        url=settings.public_url.rstrip("/"),  # the machine's own script puts paths behind it
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
    for name, (least, most) in _BOUNDS.items():
        if not least <= getattr(settings, name) <= most:
            raise Misconfigured(
                f"{name} is {getattr(settings, name):g}, but must be between {least:.0f} and {most:.0f} s."
            )
    if not _has_library():
        raise MissingExtra(
            "The autoscaler gce needs google-cloud-compute.", hint="Run: pip install 'gpugen[gcp]'"
        )


def check_models(settings: Settings, known: Collection[str]) -> None:
    """Machines for models that nobody can ask for would boot, find nothing to do, and cost money.

    Raises:
        Misconfigured: `gce_models` names one that is not among the `known`.
    """
    for name in filter(None, (name.strip() for name in settings.gce_models.split(","))):
        if name not in known:
            raise Misconfigured(
                f"GPUGEN_GCE_MODELS names {name!r}, which is no model of the registry.",
                hint=f"It knows {', '.join(sorted(known))}.",
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
    parts = _split(url)
    if parts.username or parts.query or parts.fragment:
        raise Misconfigured(
            "GPUGEN_PUBLIC_URL holds more than an address.",
            hint="Write https://name, and nothing secret in it.",
        )
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


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError as error:
        raise Misconfigured(
            f"GPUGEN_PUBLIC_URL {url} is no address: {error}.", hint="Write https://gpugen.example.org."
        ) from None
    return parts


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith(_PRIVATE)
