"""A machine of Compute Engine as its startup script finds it, with stand-ins for the programs it calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.worker.fake_metadata import FakeMetadata

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "gcp" / "startup.sh"
IMAGE = "registry.example/gpugen/worker@sha256:" + "0" * 64
# What stands in for the machine's programs notes how it was called. `docker run` runs the worker itself.
NOTED = 'printf "%s\\n" "$(basename "$0") $*" >>"$NOTES"'
PROGRAMS = {
    "poweroff": "",
    "chown": "",
    "nvidia-smi": 'exit "${NO_GPU:-0}"',
    "docker": """
        case "$1 $2" in
        "image inspect") exit 1 ;;
        "run "*) ;;
        *) exit 0 ;;
        esac
        [ -z "$CRASH" ] || kill -9 $$
        export GPUGEN_URL="$(printf "%s\\n" "$@" | sed -n 's/^GPUGEN_URL=//p')"
        while [ "$1" != worker ]; do shift; done
        exec "$PYTHON" -m gpugen_worker --token-file "$GPUGEN_RUN/token" "${@:4}"
    """,
}
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")


class Machine:
    """A machine whose startup script runs until its end."""

    def __init__(self, folder: Path, metadata: FakeMetadata, **environ: str) -> None:
        self._notes = folder / "notes"
        programs = folder / "bin"
        programs.mkdir()
        for name, does in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/bash\n{NOTED}\n{does}\n")
            (programs / name).chmod(0o755)
        ours = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "NOTES": str(self._notes),
            "PYTHON": sys.executable,
            "GCE_METADATA_HOST": metadata.host,
            "GPUGEN_RUN": str(folder / "run"),
            "GPUGEN_CACHE": str(folder / "cache"),
            "GPUGEN_PATIENCE": "20",
            "GPUGEN_GENERATOR": "fake",
            "GPUGEN_DATA_DIR": str(folder),
            "GPUGEN_CONFIG": str(folder / "none.toml"),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
        self.process = subprocess.Popen(
            ["bash", str(SCRIPT)],
            env={**kept, "CRASH": "", **ours, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ended(self) -> str:
        """What was on the console, once the script has ended."""
        return self.process.communicate(timeout=60)[0]

    def calls(self, program: str) -> list[str]:
        notes = self._notes.read_text() if self._notes.exists() else ""
        return [line for line in notes.splitlines() if line.split()[0] == program]
