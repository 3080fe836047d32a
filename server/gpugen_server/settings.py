"""What the server is told from outside: read once at the program's edge, handed down from there."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta, Struct

from gpugen_protocol import places
from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.settings import Duration, gather

POSTGRES = ("postgresql://", "postgres://")
REDIS_SCHEMES = ("redis", "rediss", "unix")


class Settings(Struct, frozen=True, kw_only=True):
    """The server's settings; field `x` is the variable `GPUGEN_X`. Durations in seconds.

    Attributes:
        host: the address to listen on; 127.0.0.1 keeps the server to this machine.
        port: 0 takes a free one.
        data_dir: where database, images, logs and the runtime file live.
        database_url: a path, `sqlite:///path` or `postgresql://...`; `read` makes a path absolute.
        redis_url: empty starts an embedded server.
        storage_url: where images go, `file:///...` or `gs://bucket/prefix`.
        public_url: what workers on other machines call; empty is the address listened on.
        tls_cert, tls_key: PEM files; with them the server speaks HTTPS.
        proxies: addresses of the proxies in front, separated by commas; only their word on who calls counts.
        idle_exit: how long a worker of the autoscaler stays without work.
        max_cost_per_day: dollars after which no machine is started until midnight UTC; 0: any number.
        gce_project, gce_zones, gce_template: where machines are made, and from what; commas part zones.
        gce_machines: kinds to try in turn, as `g2-standard-4:spot,n1-standard-4+nvidia-tesla-t4x2`; empty:
            what the template says.
        gce_models: the models that machines serve, separated by commas; empty: all.
        gce_boot: how long a machine has until its worker shows up.
        gce_max_run: after which the cloud itself ends a machine.
        gce_keep_stopped: keep ended machines stopped, with their disks, for the next start.
        gce_api_endpoint: another address for the Compute API, with anonymous credentials; for tests.
        server_idle_exit: how long a private server stays without requests, tasks and watchers.
        poll_seconds: how long a worker's claim may wait for work.
        longest_pass: how long a task may be passed over for one whose model the worker has loaded.
        max_tasks, max_tasks_per_user: how many may wait; 0: any number.
        submits_per_minute: how many tasks one user may submit; 0: any number.
        keep_failed, keep_succeeded, keep_events: how long finished tasks and their events stay; 0: for ever.
        max_image_bytes: beyond it the oldest finished tasks go; 0: any amount.
        private: one user's own server, found by the runtime file in `data_dir`.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    data_dir: str = ""
    database_url: str = ""
    redis_url: str = ""
    storage_url: str = ""
    autoscaler: Literal["none", "local", "gce"] = "none"
    max_workers: int = 1
    public_url: str = ""
    max_cost_per_day: Annotated[float, Meta(ge=0)] = 0.0
    gce_project: str = ""
    gce_zones: str = ""
    gce_template: str = ""
    gce_machines: str = ""
    gce_models: str = ""
    gce_boot: Duration = 900.0
    gce_max_run: Duration = 6 * 3600.0
    gce_keep_stopped: bool = False
    gce_api_endpoint: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    proxies: str = ""
    idle_exit: Duration = 600.0
    server_idle_exit: Duration = 900.0
    lease_seconds: Duration = 30.0
    heartbeat_seconds: Duration = 10.0
    poll_seconds: Duration = 30.0
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    max_attempts: int = 3
    longest_pass: Duration = 60.0
    max_tasks: int = 1_000_000
    max_tasks_per_user: int = 10_000
    submits_per_minute: int = 6_000
    keep_failed: Duration = 30 * 86_400.0
    keep_succeeded: Duration = 0.0
    keep_events: Duration = 30 * 86_400.0
    max_image_bytes: int = 0
    log_format: Literal["auto", "json", "text"] = "auto"
    private: bool = False

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.data_dir)

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None where the database is PostgreSQL."""
        return None if self.database_url.startswith(POSTGRES) else Path(self.database_url)

    @property
    def images(self) -> Path:
        """The folder of the images."""
        return Path(unquote(urlsplit(self.storage_url).path))

    @property
    def scheme(self) -> str:
        """What is spoken on the port."""
        return "https" if self.tls_cert else "http"

    @property
    def trusted_proxies(self) -> list[str]:
        """The addresses in `proxies`."""
        return [address.strip() for address in self.proxies.split(",") if address.strip()]

    @property
    def logs(self) -> Path:
        """The folder of the logs that a private server and its worker write."""
        return self.data / "logs"


def read(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings from flags, else environment, else the config file's `[server]` table, else defaults.

    Raises:
        Misconfigured: a value cannot be used; one sentence names it and says what can.
    """
    settings = gather(Settings, flags=flags, environ=environ, file=_server_table(environ))
    settings = _with_rhythm(_with_places(settings, environ))
    _check_numbers(settings)
    _check_parts(settings)
    return settings


def _server_table(environ: Mapping[str, str]) -> dict[str, Any]:
    path = places.config_file(environ)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if environ.get("GPUGEN_CONFIG"):
            raise Misconfigured(f"GPUGEN_CONFIG names {path}, which does not exist.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The config file {path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"The config file {path} is not valid TOML: {error}.") from None
    table = document.get("server", {})
    if not isinstance(table, dict):
        raise Misconfigured(f"`server` in {path} must be a table.", hint="Write a line [server].")
    _check_keys(path, table)
    return table


def _check_keys(path: Path, table: Mapping[str, Any]) -> None:
    known = Settings.__struct_fields__
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1) or [", ".join(known)]
            raise Misconfigured(
                f"[server] in {path} has an unknown key {key!r}.", hint=f"Known there: {near[0]}."
            )


def _with_places(settings: Settings, environ: Mapping[str, str]) -> Settings:
    data = Path(settings.data_dir).expanduser() if settings.data_dir else places.data_dir(environ)
    data = data.absolute()
    images = (data / "images").as_uri()
    return msgspec.structs.replace(
        settings,
        data_dir=str(data),
        database_url=_database(settings.database_url, data),
        storage_url=settings.storage_url or images,
    )


def _with_rhythm(settings: Settings) -> Settings:
    """Whoever shortens only the lease gets heartbeats that fit it."""
    default = next(f.default for f in msgspec.structs.fields(Settings) if f.name == "heartbeat_seconds")
    if settings.heartbeat_seconds != default or settings.lease_seconds >= 2 * default:
        return settings
    return msgspec.structs.replace(settings, heartbeat_seconds=settings.lease_seconds / 3)


def _database(url: str, data: Path) -> str:
    if not url:
        return str(data / "gpugen.db")
    if url.startswith(POSTGRES):
        return url
    if "://" not in url:
        return str(Path(url).expanduser().absolute())
    if not url.startswith("sqlite:///"):
        raise Misconfigured(
            f"GPUGEN_DATABASE_URL begins with {url.partition('://')[0]}, no database that gpugen knows.",
            hint="Name a file, or write postgresql://user:password@host/name.",
        )
    return str(Path(unquote(url.removeprefix("sqlite://"))).absolute())


def _check_numbers(settings: Settings) -> None:
    bounds = {
        "port": (0, 65535),
        "max_workers": (1, 10_000),
        "max_attempts": (1, 100),
        "lease_seconds": (0.2, 3600),
        "heartbeat_seconds": (0.05, 1800),
        "poll_seconds": (0.1, 60),
        "longest_pass": (0, 86_400),
        "max_tasks": (0, 1_000_000_000),
        "max_tasks_per_user": (0, 1_000_000_000),
        "submits_per_minute": (0, 1_000_000),
        "max_image_bytes": (0, 2**62),
    }
    for name, (low, high) in bounds.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise Misconfigured(f"{name} is {value:g}, but must be between {low:g} and {high:g}.")
    if settings.heartbeat_seconds * 2 > settings.lease_seconds:
        raise Misconfigured(
            f"heartbeat_seconds is {settings.heartbeat_seconds:g}, more than half of lease_seconds "
            f"({settings.lease_seconds:g}): one late heartbeat would lose the lease.",
            hint="Make GPUGEN_LEASE_SECONDS longer or GPUGEN_HEARTBEAT_SECONDS shorter.",
        )


def _check_parts(settings: Settings) -> None:
    storage = urlsplit(settings.storage_url)
    bucket = storage.scheme == "gs" and storage.netloc and not storage.query
    if not bucket and (storage.scheme != "file" or not settings.images.is_absolute()):
        raise Misconfigured(
            f"GPUGEN_STORAGE_URL {settings.storage_url!r} is not a place for images.",
            hint="Write file:///a/folder or gs://bucket/prefix.",
        )
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise Misconfigured("TLS needs a certificate and its key.", hint="Give --tls-cert and --tls-key.")
    if settings.tls_cert and settings.autoscaler == "local" and not settings.public_url:
        raise Misconfigured(
            "The worker of this machine checks the server's certificate, which names no loopback address.",
            hint="Give --public-url https://the.name.in.it.",
        )
    if settings.redis_url and urlsplit(settings.redis_url).scheme not in REDIS_SCHEMES:
        raise Misconfigured(
            "GPUGEN_REDIS_URL is not the address of a Redis server.", hint="Write redis://host:6379/0."
        )
