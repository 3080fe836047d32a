"""What is committed works elsewhere too: no path of one machine, no registry's address, no stale page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tools import docs

from gpugen_server.settings import Settings as ServerSettings
from gpugen_worker.settings import Settings as WorkerSettings

ROOT = Path(__file__).parents[2]
HOME = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+|opt/(?:pypi|wheels))(?:/|\b)")
MAX_BYTES = 30_000_000


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    """The files git knows."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """The text of a file, or nothing of a binary one."""
    data = path.read_bytes()
    return "" if b"\0" in data[:8192] else data.decode("utf-8", "replace")


def test_no_file_names_a_path_of_some_machine(committed: list[Path]) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in committed
        if path != Path(__file__)
        for match in HOME.finditer(text_of(path))
    }

    assert not found


def test_the_lock_files_name_no_registry() -> None:
    for name in ("constraints.txt", "labextension/yarn.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|file:/", text), name


def test_no_huge_file_is_committed(committed: list[Path]) -> None:
    assert not [path for path in committed if path.stat().st_size > MAX_BYTES]


def test_the_generated_pages_are_up_to_date() -> None:
    for path, text in docs.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"


def test_every_setting_stands_in_the_operators_table() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    ours_alone = {"private", "generator", "fake_step_seconds"}
    known = {*ServerSettings.__struct_fields__, *WorkerSettings.__struct_fields__} - ours_alone
    assert [name for name in sorted(known) if f"`GPUGEN_{name.upper()}`" not in text] == []
