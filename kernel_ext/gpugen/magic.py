"""`%gpugen` and `%%gpugen`: a prompt in a cell becomes images under it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_cell_magic, magics_class, no_var_expand

from gpugen import arguments, commands, completion
from gpugen.arguments import HelpRequest
from gpugen.defaults import Defaults
from gpugen.known_models import KnownModels
from gpugen.options import build_parser
from gpugen.sending import Sending
from gpugen_protocol.errors import GpugenError

if TYPE_CHECKING:
    from gpugen.session import Session


@magics_class
class GpuGenMagics(Defaults):
    """The magics, and through `%config GpuGenMagics` the defaults of their options."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.read_environment(os.environ)
        self._opened: Session | None = None
        self._models = KnownModels()
        completer = completion.Completer(self._models.names, shell.user_ns)
        self._remove_completion = completion.install(shell, completer)

    @line_cell_magic  # type: ignore[untyped-decorator]
    @no_var_expand  # type: ignore[untyped-decorator]
    def gpugen(self, line: str, cell: str | None = None) -> None:
        """Replaced by the options below, which `%%gpugen?` then shows."""
        sending = Sending()
        try:
            self._run(line, cell, sending)
        except GpugenError as error:
            if not self.short_errors:
                self._tell_all(error)
            raise
        except KeyboardInterrupt as interrupt:
            raise _end(interrupt, sending) from None

    gpugen.__doc__ = build_parser().format_help()

    def close(self) -> None:
        """Stop what runs in the background; tasks go on, on the server."""
        self._remove_completion()
        if self._opened is not None:
            self._opened.close()

    @property
    def _session(self) -> Session:
        if self._opened is None:
            from gpugen.session import Session

            self._opened = Session(self.shell, self, self._models)
        return self._opened

    def _run(self, line: str, cell: str | None, sending: Sending) -> None:
        command = commands.match(line) if cell is None else None
        if command is None:
            self._draw(line, cell, sending)
        elif command.name == "help":
            _print_help()
        else:
            self._session.run(command, sending)

    def _draw(self, line: str, cell: str | None, sending: Sending) -> None:
        try:
            asked = arguments.parse(line, cell, self.options(), self.shell.user_ns)
        except HelpRequest:
            _print_help()
        else:
            self._session.generate(asked, sending)

    def _tell_all(self, error: GpugenError) -> None:
        """Let IPython show the traceback that the error would otherwise replace by its one line."""

        def whole() -> list[str]:
            shown = self.shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
            return list(shown)

        vars(error)["_render_traceback_"] = whole


def _end(interrupt: KeyboardInterrupt, sending: Sending) -> KeyboardInterrupt:
    """How a cell ends that was interrupted: before its task was followed, it is taken back here."""
    from gpugen.ending import Cancelled

    if isinstance(interrupt, Cancelled):
        return interrupt
    with contextlib.suppress(KeyboardInterrupt):  # a second one leaves at once
        sending.take_back()
    return Cancelled(sending.farewell("%gpugen"))


def _print_help() -> None:
    print(build_parser().format_help())  # noqa: T201 - the cell's output


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
