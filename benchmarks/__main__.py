"""`python -m benchmarks [startup latency queue peers ...]`: all of them without a name."""

from __future__ import annotations

import importlib
import platform
import sys

NAMES = (
    "startup",
    "latency",
    "queue",
    "peers",
    "postgres",
    "fanout",
    "eventpath",
    "overhead",
    "preview",
    "notebook",
    "coldstart",
    "simulate",
    "jupyter",
    "panel",
    "autoscale",
)


def main() -> int:
    """Run the named benchmarks and print their table. Figures are reported, never asserted."""
    names = sys.argv[1:] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}. Choose from {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    print(f"{platform.platform()}, Python {platform.python_version()}")
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}")
        for figure in module.run():
            print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
