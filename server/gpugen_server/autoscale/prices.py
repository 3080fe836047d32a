"""The price table: shipped, and corrected by the one in the data directory."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from gpugen_protocol.errors import Misconfigured
from gpugen_server.autoscale.gce.offers import Kind


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """Dollars an hour, on demand and on the spot market."""

    hour: float
    spot: float

    def of(self, kind: Kind) -> float:
        """The one that holds for `kind`."""
        return self.spot if kind.spot else self.hour


DEAR = Price(1.0, 1.0)


class Prices(Struct, frozen=True, forbid_unknown_fields=True):
    """By machine type and by GPU."""

    machines: dict[str, Price] = {}
    gpus: dict[str, Price] = {}
    unknown: Price | None = None

    def hourly(self, kind: Kind) -> float:
        """An hour of one machine of `kind`; what is not listed counts as unknown, never as free."""
        machine = self.machines.get(kind.machine)
        gpu = self.gpus.get(kind.gpu)
        if machine is None or (kind.gpu and gpu is None):
            return (self.unknown or DEAR).of(kind)
        return machine.of(kind) + (gpu.of(kind) * kind.count if gpu else 0.0)


def read(data: Path) -> Prices:
    """The shipped prices with the entries of `prices.toml` in `data` over them.

    Raises:
        Misconfigured: that file cannot be used.
    """
    shipped = _parse(files("gpugen_server.autoscale").joinpath("prices.toml").read_text(encoding="utf-8"))
    path = data / "prices.toml"
    try:
        own = _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return shipped
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured(
            f"The price table {path} cannot be used: {error}.", hint="Its form is in docs/operations.md."
        ) from None
    return Prices(
        machines={**shipped.machines, **own.machines},
        gpus={**shipped.gpus, **own.gpus},
        unknown=own.unknown or shipped.unknown,
    )


def _parse(text: str) -> Prices:
    return msgspec.convert(tomllib.loads(text), Prices)
