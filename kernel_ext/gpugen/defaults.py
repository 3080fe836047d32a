"""The defaults of the options: of `%config`, else of the environment, else of IPython's own files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics
from traitlets import Bool, Enum, Float, Int, TraitError, Unicode, validate

from gpugen.options import EMBED_KINDS, PROGRESS_KINDS
from gpugen.size import parse_size
from gpugen_protocol.errors import InvalidRequest

_PREFIX = "GPUGEN_MAGIC_"
_NO_OPTIONS = {"short_errors", "confirm_above"}


class Defaults(Magics):  # type: ignore[misc]  # IPython is not typed
    """What holds where a cell does not say otherwise."""

    model = Unicode("", help="Model to use where -m is not given; empty: the server's default.").tag(
        config=True
    )
    n = Int(None, allow_none=True, help="How many images where -n is not given.").tag(config=True)
    size = Unicode("", help="Size as WxH where --size is not given.").tag(config=True)
    steps = Int(None, allow_none=True, help="Steps where --steps is not given.").tag(config=True)
    guidance = Float(None, allow_none=True, help="Guidance where --guidance is not given.").tag(config=True)
    negative = Unicode("", help="What no image may show where --negative is not given.").tag(config=True)
    scheduler = Unicode("", help="Scheduler where --scheduler is not given.").tag(config=True)
    progress = Enum(PROGRESS_KINDS, "auto", help="How a task is shown where --progress is not given.").tag(
        config=True
    )
    embed = Enum(EMBED_KINDS, "thumbnail", help="What the file keeps where --embed is not given.").tag(
        config=True
    )
    short_errors = Bool(True, help="Errors in one line; False shows the whole traceback.").tag(config=True)
    confirm_above = Int(64, help="A grid of more images than this asks first.").tag(config=True)

    def read_environment(self, environ: Mapping[str, str]) -> None:
        """Take what GPUGEN_MAGIC_SIZE and so on say.

        Raises:
            UsageError: one of them cannot be used.
        """
        for name, trait in self.traits(config=True).items():
            value = environ.get(_PREFIX + name.upper())
            if not value:
                continue
            try:
                setattr(self, name, trait.from_string(value))
            except (TraitError, ValueError) as error:
                raise UsageError(f"{_PREFIX}{name.upper()} cannot be {value!r}: {error}") from None

    def options(self) -> dict[str, Any]:
        """The defaults as options by name; those that are not set are missing."""
        found = {name: getattr(self, name) for name in self.traits(config=True) if name not in _NO_OPTIONS}
        found["size"] = parse_size(self.size) if self.size else None
        found["negative_prompt"] = found.pop("negative")
        return {name: value for name, value in found.items() if value not in ("", None)}

    @validate("size")  # type: ignore[untyped-decorator]
    def _check_size(self, proposal: Any) -> str:
        size = str(proposal["value"])
        try:
            if size:
                parse_size(size)
        except InvalidRequest as error:
            raise TraitError(str(error)) from None
        return size
