"""The worker's settings, read once at the program's edge."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from gpugen_protocol import places
from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.settings import Duration, gather


class Settings(Struct, frozen=True, kw_only=True):
    """How this worker runs.

    Attributes:
        url: the server's address.
        token, token_file: the registration token, or the file that holds it.
        idle_exit: seconds without work until it leaves; None: what the server says.
        only_models: names separated by commas; empty: every model this machine may serve.
        once: leave after one task.
        worker_name: how it introduces itself; empty: the machine's name.
        grace: seconds a running task may take to finish after SIGTERM.
        stop_timeout: seconds a canceled drawing may take to stop; then the worker ends itself.
        stall_timeout: seconds a drawing may show no sign of life; then the worker ends itself. 0: for ever.
        generator: `diffusers`, or `fake` where the model is not the subject.
        fake_step_seconds: how long a step of the fake takes.
        batch: images of one task drawn in one pass; more is faster on a large GPU.
    """

    url: str = ""
    token: str = ""
    token_file: str = ""
    idle_exit: Duration | None = None
    only_models: str = ""
    once: bool = False
    worker_name: str = ""
    grace: Duration = 20.0
    stop_timeout: Duration = 60.0
    stall_timeout: Duration = 1800.0
    generator: Literal["diffusers", "fake"] = "diffusers"
    fake_step_seconds: Duration = 0.01
    batch: int = 1

    def registration_token(self) -> str:
        """The token, from its file where one is named.

        Raises:
            Misconfigured: there is no token, or its file cannot be read.
        """
        token = _read_token(Path(self.token_file).expanduser()) if self.token_file else self.token.strip()
        if not token:
            raise Misconfigured(
                "The worker has no registration token.",
                hint="Give --token-file or set GPUGEN_TOKEN; `gpugen token create --scope worker` makes one.",
            )
        return token


def read_settings(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings from flags, environment and the `[worker]` table of the config file.

    Raises:
        Misconfigured: a value does not fit, or no server is named.
    """
    settings = gather(Settings, flags=flags, environ=environ, file=_table(places.config_file(environ)))
    if not settings.url:
        raise Misconfigured("The worker does not know its server.", hint="Give --url or set GPUGEN_URL.")
    return settings


def _table(path: Path) -> Mapping[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("worker", {})
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"The config file {path} cannot be read: {error}.") from None
    if not isinstance(table, Mapping):
        raise Misconfigured(f"`worker` in {path} must be a table.")
    return table


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The token file {path} cannot be read: {error}.") from None
