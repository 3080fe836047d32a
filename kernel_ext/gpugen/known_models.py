"""The names of models for completion: those on this machine at first, then what the server says."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from gpugen_protocol.errors import GpugenError
from gpugen_protocol.models import parse_registry
from gpugen_protocol.places import registry_files

if TYPE_CHECKING:
    from gpugen.client import Client


class KnownModels:
    """Answers at once, from memory; asks a server once there is one, in the background."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._asked = False

    def names(self) -> tuple[str, ...]:
        """What is known by now."""
        if not self._names:
            self._names = _on_this_machine()
        return self._names

    def learn_from(self, client: Client) -> None:
        """Ask `client`'s server, unless one was asked before; returns at once."""
        if not self._asked:
            self._asked = True
            threading.Thread(target=self._ask, args=(client,), name="gpugen-models", daemon=True).start()

    def forget(self) -> None:
        """Another server is used from now on."""
        self._names, self._asked = (), False

    def _ask(self, client: Client) -> None:
        with contextlib.suppress(GpugenError):
            self._names = tuple(model.name for model in client.models())


def _on_this_machine() -> tuple[str, ...]:
    texts = {}
    for path in registry_files(os.environ):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            texts[str(path)] = path.read_text(encoding="utf-8")
    try:
        return tuple(parse_registry(texts).models)
    except GpugenError:
        return tuple(parse_registry({}).models)
