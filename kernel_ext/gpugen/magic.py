"""`%gpugen` and `%%gpugen`: a prompt in a cell becomes images under it."""

from __future__ import annotations

import threading
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Enum, Float, Int, TraitError, Unicode, validate

from gpugen import arguments, subcommands
from gpugen.arguments import PROGRESS_KINDS, Arguments, HelpRequest, ProgressKind
from gpugen.client import Client, Task
from gpugen.submission import Submission
from gpugen.view import view_for
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.request import TaskRequest


@magics_class
class GpuGenMagics(Magics):  # type: ignore[misc]  # IPython is not typed
    """The magics, and through `%config GpuGenMagics` the defaults of their options."""

    model = Unicode("", help="Model to use where -m is not given; empty: the server's default.").tag(
        config=True
    )
    size = Unicode("", help="Size as WxH where --size is not given.").tag(config=True)
    steps = Int(None, allow_none=True, help="Steps where --steps is not given.").tag(config=True)
    guidance = Float(None, allow_none=True, help="Guidance where --guidance is not given.").tag(config=True)
    negative = Unicode("", help="What no image may show where --negative is not given.").tag(config=True)
    scheduler = Unicode("", help="Scheduler where --scheduler is not given.").tag(config=True)
    progress = Enum(PROGRESS_KINDS, "auto", help="How a task is shown where --progress is not given.").tag(
        config=True
    )

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._client: Client | None = None
        self._subcommands = subcommands.Subcommands(self._connected, self._attach)

    @line_cell_magic  # type: ignore[untyped-decorator]
    @no_var_expand  # type: ignore[untyped-decorator]
    def gpugen(self, line: str, cell: str | None = None) -> None:
        """Replaced by the options below, which `%%gpugen?` then shows."""
        subcommand = subcommands.match(line) if cell is None else None
        if subcommand is not None:
            return self._subcommands.run(*subcommand)
        try:
            asked = arguments.parse(line, cell, self._defaults())
        except HelpRequest:
            print(arguments.build_parser().format_help())  # noqa: T201 - the cell's output
        else:
            self._generate(asked)

    gpugen.__doc__ = arguments.build_parser().format_help()

    def close(self) -> None:
        """Stop what runs in the background; tasks go on, on the server."""
        self._subcommands.close()
        if self._client is not None:
            self._client.close()

    @validate("size")  # type: ignore[untyped-decorator]
    def _check_size(self, proposal: Any) -> str:
        size = str(proposal["value"])
        if size and not arguments.SIZE.fullmatch(size):
            raise TraitError(f"{size!r} is not a size such as 512x512.")
        return size

    def _defaults(self) -> dict[str, Any]:
        options = {
            "model": self.model,
            "size": arguments.parse_size(self.size) if self.size else None,
            "steps": self.steps,
            "guidance": self.guidance,
            "negative_prompt": self.negative,
            "scheduler": self.scheduler,
            "progress": self.progress,
        }
        return {name: value for name, value in options.items() if value not in ("", None)}

    def _generate(self, asked: Arguments) -> None:
        task = self._submit(asked.request)
        self._subcommands.note(task.id)
        submission = self._submission(task, asked.progress)
        submission.open(waits=asked.wait)
        if asked.wait:
            kept: Any = submission.follow()
        else:
            kept = task
            self._subcommands.send_off(submission)
        if asked.out is not None:
            self.shell.user_ns[asked.out] = kept

    def _submit(self, request: TaskRequest) -> Task:
        client = self._connected()
        try:
            return Task(client, client.api.submit(request))
        except InvalidRequest as error:  # what the user wrote, so no matter which side noticed
            raise UsageError(str(error)) from None

    def _attach(self, task: Task, silent: bool) -> Submission:
        return self._submission(task, "none" if silent else self.progress)

    def _submission(self, task: Task, progress: ProgressKind) -> Submission:
        cancel = threading.Event()
        view = view_for(progress, kernel=hasattr(self.shell, "kernel"), cancel=cancel.set)
        return Submission(self._connected(), task, view, cancel)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client()
        return self._client


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
