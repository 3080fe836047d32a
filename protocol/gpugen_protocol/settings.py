"""Where a setting comes from: flag, else environment, else file, else default.

Each program declares a frozen struct whose field `lease_seconds` is the flag `--lease-seconds`, the variable
`GPUGEN_LEASE_SECONDS` and the key `lease_seconds` of its table in the config file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from gpugen_protocol.durations import seconds
from gpugen_protocol.errors import Misconfigured

S = TypeVar("S", bound=msgspec.Struct)

Duration = float  # a field of this type is written as 90, 1.5, 10m or 2h


def gather(
    kind: type[S],
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Mapping[str, Any],
) -> S:
    """The settings `kind` from the first place that has each field; None in `flags` counts as absent.

    Raises:
        Misconfigured: a value does not fit its field; the sentence names the field.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = field.name
        found = next(
            (
                place
                for place in (flags.get(name), environ.get(f"GPUGEN_{name.upper()}") or None, file.get(name))
                if place is not None
            ),
            None,
        )
        if found is not None:
            values[name] = seconds(found) if _is_duration(field.type) else found
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"A setting is not valid: {error}.") from None


def _is_duration(kind: Any) -> bool:
    return kind is float or kind == (float | None)
