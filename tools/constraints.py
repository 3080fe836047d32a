"""Writes constraints.txt from the packages of this interpreter, best a fresh one: `make constraints`."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).parent.parent / "constraints.txt"
HEAD = """\
# The exact versions that `make` installs and the tests ran with. Users of the wheel are not bound to them.
# Written by `make constraints`; never by hand.
"""
# We are what is constrained; `wheel` only old venvs bring.
LEFT_OUT = {"gpugen", "wheel"}


def pins() -> list[str]:
    """Every installed distribution as `name==version`, without a local part such as `+cpu`."""
    found = {dist.name: dist.version.partition("+")[0] for dist in distributions()}
    return sorted(
        (f"{name}=={version}" for name, version in found.items() if name not in LEFT_OUT), key=str.lower
    )


if __name__ == "__main__":
    TARGET.write_text(HEAD + "\n".join(pins()) + "\n", encoding="utf-8")
    print(f"wrote {TARGET.name}: {len(pins())} packages")
