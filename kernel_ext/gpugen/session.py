"""What stands behind the magics: this notebook's client, its tasks, and what is done with them."""

from __future__ import annotations

import getpass
import threading
from pathlib import Path
from typing import Any

import msgspec
from IPython.core.error import UsageError

from gpugen import grids
from gpugen.arguments import Arguments
from gpugen.client import Client, Task
from gpugen.commands import Command
from gpugen.defaults import Defaults
from gpugen.known_models import KnownModels
from gpugen.options import EmbedKind, ProgressKind
from gpugen.sending import Sending
from gpugen.subcommands import Subcommands
from gpugen.submission import Submission
from gpugen.sweep import Sweep
from gpugen.view import view_for
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.request import TaskRequest


class Session:
    """Made when the magics are first used for anything: loading them stays cheap.

    Args:
        shell: IPython's.
        defaults: of the options.
        models: the names that completion knows.
    """

    def __init__(self, shell: Any, defaults: Defaults, models: KnownModels) -> None:
        self._shell = shell
        self._defaults = defaults
        self._models = models
        self._client: Client | None = None
        self._subcommands = Subcommands(self._connected, self._attach, self._reopen)

    def run(self, command: Command, sending: Sending) -> None:
        """Do a sub-command; raises as `Subcommands.run`."""
        if command.name == "connect":
            self.connect(command.about, command.extra)
        else:
            self._subcommands.run(command, sending)

    def close(self) -> None:
        """Stop what runs in the background; tasks go on, on the server."""
        self._subcommands.close()
        if self._client is not None:
            self._client.close()

    def generate(self, asked: Arguments, sending: Sending) -> None:
        """Submit what a cell asks for, by `sending`, and show it.

        Raises:
            UsageError: what was asked for cannot be had, no matter which side noticed.
            GpugenError: the server says no; a task did not succeed.
        """
        if asked.axes:
            grids.confirm(asked, self._defaults.confirm_above)
        client = self._connected()
        self._models.learn_from(client)
        try:
            requests = self._with_images(asked)
            if asked.axes:
                return self._show(asked, self._sweep(asked, requests, sending))
            task = sending.send(client, requests[0])
        except InvalidRequest as error:  # what the user wrote, so no matter which side noticed
            raise UsageError(str(error)) from None
        self._subcommands.note(task.id)
        return self._show(asked, self._submission(task, asked.progress, asked.embed))

    def _show(self, asked: Arguments, followed: Submission | Sweep) -> None:
        if asked.wait:
            kept: Any = followed.follow()
        else:
            followed.open()
            kept = followed.task if isinstance(followed, Submission) else followed.tasks
            self._subcommands.send_off(followed)
        if asked.out is not None:
            self._shell.user_ns[asked.out] = kept

    def _with_images(self, asked: Arguments) -> list[TaskRequest]:
        """The requests with the ids of the images they start from, which are sent once."""
        from gpugen.sources import find

        named = {"init_image": asked.init, "mask_image": asked.mask}
        images = {field: find(name, self._shell.user_ns) for field, name in named.items() if name}
        requests = [point.request for point in asked.points]
        if not images:
            return requests
        first = self._connected().with_images(requests[0], **images)
        ids = {field: getattr(first, field) for field in images}
        return [msgspec.structs.replace(request, **ids) for request in requests]

    def _sweep(self, asked: Arguments, requests: list[TaskRequest], sending: Sending) -> Sweep:
        cancel = threading.Event()
        view = view_for(asked.progress, kernel=hasattr(self._shell, "kernel"), cancel=cancel.set)
        return grids.submit(self._connected(), asked, requests, view, cancel, sending)

    def _attach(self, task: Task, silent: bool) -> Submission:
        return self._submission(task, "none" if silent else self._defaults.progress, self._defaults.embed)

    def _reopen(self, group: str, silent: bool) -> Sweep:
        cancel = threading.Event()
        progress: ProgressKind = "none" if silent else self._defaults.progress
        view = view_for(progress, kernel=hasattr(self._shell, "kernel"), cancel=cancel.set)
        return grids.reopen(self._connected(), group, view, cancel, self._defaults.embed)

    def _submission(self, task: Task, progress: ProgressKind, embed: EmbedKind) -> Submission:
        cancel = threading.Event()
        view = view_for(progress, kernel=hasattr(self._shell, "kernel"), cancel=cancel.set)
        return Submission(self._connected(), task, view, cancel, embed)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client()
        return self._client

    def connect(self, url: str | None, token_file: str | None) -> None:
        """Use another server from now on, or say which one is used. A token is never part of the notebook."""
        if url is not None:
            token = _token(url, token_file)
            client = Client(url, token)
            client.models()  # whether it is there, and lets us in
            self._client = client
            self._models.forget()
        print(f"This notebook uses the gpugen server at {self._connected().connection.url}")  # noqa: T201


def _asked_token(url: str) -> str:
    try:
        return getpass.getpass(f"Token for {url}: ").strip()
    except (NotImplementedError, EOFError, OSError, RuntimeError):
        raise UsageError(f"No token can be asked for here: %gpugen connect {url} TOKEN_FILE.") from None


def _token(url: str, file: str | None) -> str:
    if file is None:
        return _asked_token(url)
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The token file {file} cannot be read: {error}.") from None
