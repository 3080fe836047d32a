"""`%gpugen` and `%%gpugen`: a prompt in a cell becomes images under it."""

from __future__ import annotations

import getpass
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, magics_class, no_var_expand

from gpugen import arguments, commands, completion, grids
from gpugen.arguments import Arguments, HelpRequest
from gpugen.client import Client, Task
from gpugen.defaults import Defaults
from gpugen.known_models import KnownModels
from gpugen.options import EmbedKind, ProgressKind, build_parser
from gpugen.subcommands import Subcommands
from gpugen.submission import Submission
from gpugen.sweep import Sweep
from gpugen.view import view_for
from gpugen_protocol.errors import GpugenError, InvalidRequest
from gpugen_protocol.request import TaskRequest


@magics_class
class GpuGenMagics(Defaults):
    """The magics, and through `%config GpuGenMagics` the defaults of their options."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.read_environment(os.environ)
        self._client: Client | None = None
        self._subcommands = Subcommands(self._connected, self._attach)
        self._models = KnownModels()
        completer = completion.Completer(self._models.names, shell.user_ns)
        self._remove_completion = completion.install(shell, completer)

    @line_cell_magic  # type: ignore[untyped-decorator]
    @no_var_expand  # type: ignore[untyped-decorator]
    def gpugen(self, line: str, cell: str | None = None) -> None:
        """Replaced by the options below, which `%%gpugen?` then shows."""
        try:
            self._run(line, cell)
        except GpugenError as error:
            if not self.short_errors:
                self._tell_all(error)
            raise

    gpugen.__doc__ = build_parser().format_help()

    def close(self) -> None:
        """Stop what runs in the background; tasks go on, on the server."""
        self._remove_completion()
        self._subcommands.close()
        if self._client is not None:
            self._client.close()

    def _run(self, line: str, cell: str | None) -> None:
        command = commands.match(line) if cell is None else None
        if command is None:
            self._read(line, cell)
        elif command.name == "help":
            _say(build_parser().format_help())
        elif command.name == "connect":
            self._connect(command.about, command.extra)
        else:
            self._subcommands.run(command)

    def _read(self, line: str, cell: str | None) -> None:
        try:
            asked = arguments.parse(line, cell, self.options(), self.shell.user_ns)
        except HelpRequest:
            _say(build_parser().format_help())
        else:
            self._generate(asked)

    def _generate(self, asked: Arguments) -> None:
        if asked.axes:
            grids.confirm(asked, self.confirm_above)
        client = self._connected()
        self._models.learn_from(client)
        try:
            requests = self._with_images(asked)
            if asked.axes:
                return self._show(asked, self._sweep(asked, requests))
            task = client.send(requests[0])
        except InvalidRequest as error:  # what the user wrote, so no matter which side noticed
            raise UsageError(str(error)) from None
        self._subcommands.note(task.id)
        return self._show(asked, self._submission(task, asked.progress, asked.embed))

    def _show(self, asked: Arguments, followed: Submission | Sweep) -> None:
        followed.open(waits=asked.wait)
        if asked.wait:
            kept: Any = followed.follow()
        else:
            kept = followed.task if isinstance(followed, Submission) else followed.tasks
            self._subcommands.send_off(followed)
        if asked.out is not None:
            self.shell.user_ns[asked.out] = kept

    def _with_images(self, asked: Arguments) -> list[TaskRequest]:
        """The requests with the ids of the images they start from, which are sent once."""
        from gpugen.sources import find

        named = {"init_image": asked.init, "mask_image": asked.mask}
        images = {field: find(name, self.shell.user_ns) for field, name in named.items() if name}
        requests = [point.request for point in asked.points]
        if not images:
            return requests
        first = self._connected().with_images(requests[0], **images)
        ids = {field: getattr(first, field) for field in images}
        return [msgspec.structs.replace(request, **ids) for request in requests]

    def _sweep(self, asked: Arguments, requests: list[TaskRequest]) -> Sweep:
        cancel = threading.Event()
        view = view_for(asked.progress, kernel=hasattr(self.shell, "kernel"), cancel=cancel.set)
        return grids.submit(self._connected(), asked, requests, view, cancel)

    def _attach(self, task: Task, silent: bool) -> Submission:
        return self._submission(task, "none" if silent else self.progress, self.embed)

    def _submission(self, task: Task, progress: ProgressKind, embed: EmbedKind) -> Submission:
        cancel = threading.Event()
        view = view_for(progress, kernel=hasattr(self.shell, "kernel"), cancel=cancel.set)
        return Submission(self._connected(), task, view, cancel, embed)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client()
        return self._client

    def _connect(self, url: str | None, token_file: str | None) -> None:
        """Use another server from now on, or say which one is used. A token is never part of the notebook."""
        if url is not None:
            token = _token(url, token_file)
            client = Client(url, token)
            client.models()  # whether it is there, and lets us in
            self._client = client
            self._models.forget()
        _say(f"This notebook uses the gpugen server at {self._connected().connection.url}")

    def _tell_all(self, error: GpugenError) -> None:
        """Let IPython show the traceback that the error would otherwise replace by its one line."""

        def whole() -> list[str]:
            shown = self.shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
            return list(shown)

        vars(error)["_render_traceback_"] = whole


def _token(url: str, file: str | None) -> str:
    if file is None:
        return getpass.getpass(f"Token for {url}: ").strip()
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The token file {file} cannot be read: {error}.") from None


def _say(text: str) -> None:
    print(text)  # noqa: T201 - in a notebook this is the cell's output


def load_ipython_extension(ip: Any) -> None:
    """What `%load_ext gpugen` calls."""
    ip.register_magics(GpuGenMagics)


def unload_ipython_extension(ip: Any) -> None:
    """What `%unload_ext gpugen` calls: as if it had never been loaded."""
    magics = ip.magics_manager.registry.pop(GpuGenMagics.__name__, None)
    if magics is None:
        return
    for kind in ("line", "cell"):
        ip.magics_manager.magics[kind].pop("gpugen", None)
    if magics in ip.configurables:
        ip.configurables.remove(magics)
    magics.close()
