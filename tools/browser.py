"""A Chromium for the tests: the system's if there is one, else apt's (as root), else Playwright's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def system_browser() -> str | None:
    """The path of an installed Chromium, or None: then Playwright looks for the one it fetched."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    """Make sure that there is a browser."""
    if found := system_browser():
        print(f"==> browser: {found}")
        return 0
    print("==> browser: fetching Chromium", flush=True)
    if _may_use_apt() and _from_apt():
        return 0
    return subprocess.call([sys.executable, "-m", "playwright", "install", "chromium"])


def _may_use_apt() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def _from_apt() -> bool:
    # A font too: without one every letter in the pictures is a box.
    packages = ["chromium", "fonts-dejavu-core"]
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps = (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages],
    )
    quiet = subprocess.DEVNULL  # apt lists every file it unpacks; errors go to stderr
    return all(subprocess.call(step, env=environ, stdout=quiet) == 0 for step in steps) and bool(
        system_browser()
    )


if __name__ == "__main__":
    raise SystemExit(main())
