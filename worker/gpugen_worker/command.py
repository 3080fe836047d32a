"""`gpugen worker`: read settings, build the parts, work until told to stop."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpugen_protocol import __version__, places
from gpugen_protocol.errors import (
    Forbidden,
    GpugenError,
    MissingExtra,
    ServerUnreachable,
    Unauthorized,
    WorkerTooOld,
)
from gpugen_protocol.models import Model
from gpugen_worker.settings import Settings, read_settings

if TYPE_CHECKING:
    from gpugen_worker.generator import Generator

NOT_ALLOWED = (ServerUnreachable, Unauthorized, Forbidden, WorkerTooOld)
NEEDED = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "PIL")


@click.command()
@click.option("--url", help="The server's address.")
@click.option("--token-file", help="The file with the registration token (else GPUGEN_TOKEN).")
@click.option("--idle-exit", metavar="DURATION", help="Leave after that long without work: 90, 10m, 2h.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Serve only these models.")
@click.option("--once", is_flag=True, default=None, help="Leave after one task.")
@click.option("--name", "worker_name", help="How it introduces itself.")
@click.option("--grace", metavar="DURATION", help="What a running task may take after SIGTERM.")
@click.option("--batch", type=click.IntRange(1, 16), help="Images of one task drawn in one pass.")
@click.option("--generator", type=click.Choice(["diffusers", "fake"]), hidden=True)
def worker(**flags: Any) -> None:
    """Draw the tasks of a server on this machine."""
    flags["only_models"] = ",".join(flags.pop("models")) or None
    try:
        settings = read_settings(flags, os.environ)
        _run(settings, os.environ)
    except GpugenError as error:
        click.echo(f"gpugen worker: {error}", err=True)
        sys.exit(3 if isinstance(error, NOT_ALLOWED) else 2)


def _run(settings: Settings, environ: Mapping[str, str]) -> None:
    from gpugen_client.claims import WorkerApi
    from gpugen_worker import preemption
    from gpugen_worker.choice import choose_models, read_registry
    from gpugen_worker.log import set_up
    from gpugen_worker.loop import Loop
    from gpugen_worker.patience import Patience
    from gpugen_worker.session import ServerSession
    from gpugen_worker.stop import Stop

    api = WorkerApi(settings.url, settings.registration_token())
    _check_extra(settings)
    offline = environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}
    models = choose_models(read_registry(environ), settings.only_models, offline=offline)
    stop = Stop(settings.grace)
    stop.install()
    set_up()
    preemption.watch(preemption.metadata_host(environ), stop.notice)
    generator = _generator(settings, models, places.data_dir(environ))
    session = ServerSession(api, _introduction(settings, generator))
    patience = Patience(settings.stop_timeout, settings.stall_timeout or math.inf)
    Loop(session, generator, stop, idle_exit=settings.idle_exit, once=settings.once, patience=patience).run()


def _check_extra(settings: Settings) -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing and settings.generator == "diffusers":
        raise MissingExtra(
            f"The worker needs {', '.join(missing)}.", hint="Run: pip install 'gpugen[worker]'"
        )


def _generator(settings: Settings, models: tuple[Model, ...], data_dir: Path) -> Generator:
    from gpugen_worker.background import BackgroundGenerator
    from gpugen_worker.fake import FakeGenerator
    from gpugen_worker.read_ahead import read_ahead

    names = tuple(model.name for model in models)
    if settings.generator == "fake":
        return FakeGenerator(names, settings.fake_step_seconds)

    def make() -> Generator:
        from gpugen_worker.diffusion import DiffusionGenerator

        return DiffusionGenerator(models, data_dir=data_dir, batch=settings.batch)

    by_name = {model.name: model for model in models}
    return BackgroundGenerator(names, make, lambda name: read_ahead(by_name[name]))


def _introduction(settings: Settings, generator: Generator) -> Any:
    from gpugen_protocol.worker import SessionRequest
    from gpugen_worker.device import describe_device, library_versions
    from gpugen_worker.text import sendable

    device = describe_device()
    return SessionRequest(
        name=sendable(settings.worker_name or platform.node() or "worker", 200),
        models=generator.models,
        memory_bytes=device.memory_bytes,
        version=__version__,
        device=device.name[:200],
        libraries=library_versions(),
    )
