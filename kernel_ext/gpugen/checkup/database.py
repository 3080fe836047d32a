"""A look at the database of a server on this machine, through the server's own command."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

from gpugen.checkup.finding import Environ, Finding, fail, ok
from gpugen_client.named import is_named
from gpugen_protocol import places

PATIENCE = 30.0  # seconds for the command to start, connect and look
_POSTGRES = ("postgresql://", "postgres://")


def database(environ: Environ) -> Finding:
    """PostgreSQL: does it answer, has it the tables of this gpugen. A SQLite file takes care of itself."""
    if _url(environ).startswith(_POSTGRES):
        return _check(environ)
    if is_named(environ):
        return ok("database", "not needed here: the server is elsewhere")
    return ok("database", "SQLite, which the server makes and brings up to date by itself")


def _url(environ: Environ) -> str:
    """What the server would use: as the environment says, else the config file."""
    if url := environ.get("GPUGEN_DATABASE_URL"):
        return url
    try:
        document = tomllib.loads(places.config_file(environ).read_text(encoding="utf-8"))
        return str(document["server"]["database_url"])
    except (OSError, ValueError, KeyError, TypeError):  # what is wrong with the file is another finding
        return ""


def _check(environ: Environ) -> Finding:
    command = [sys.executable, "-P", "-m", "gpugen", "db", "check"]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environ},
            capture_output=True,
            timeout=PATIENCE,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return fail("database", f"PostgreSQL does not answer within {PATIENCE:g} s", "Is it reachable?")
    said = [line for line in done.stderr.splitlines() if line.strip()] or ["`gpugen db check` said nothing"]
    if done.returncode == 0:
        return ok("database", f"PostgreSQL: {said[-1]}")
    hint = said.pop().strip() if said[-1].startswith(" ") else "Correct GPUGEN_DATABASE_URL."
    return fail("database", " ".join(line.removeprefix("gpugen: ") for line in said), hint)
