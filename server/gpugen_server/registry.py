"""The models this server knows: those shipped, with the user's files over them."""

from __future__ import annotations

from collections.abc import Mapping

from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.models import Registry, parse_registry
from gpugen_protocol.places import registry_files


def read(environ: Mapping[str, str]) -> Registry:
    """The registry for `environ`.

    Raises:
        Misconfigured: a file cannot be read or an entry does not fit; the sentence names it.
    """
    files = [path for path in registry_files(environ) if path.is_file()]
    try:
        return parse_registry({str(path): path.read_text(encoding="utf-8") for path in files})
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The model registry cannot be read: {error}.") from None
