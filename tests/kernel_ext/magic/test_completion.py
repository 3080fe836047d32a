"""Tab completion, in an IPython shell and by itself."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from gpugen.completion import Completer


@pytest.fixture
def completer() -> Completer:
    return Completer(lambda: ("emoji", "sdxl"), {"photo": 1, "_hidden": 2})


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%%gpugen --st", ["--steps", "--strength"]),
        ("%gpugen a cat --emb", ["--embed"]),
        ("%gpugen -m e", ["emoji"]),
        ("%%gpugen --model ", ["emoji", "sdxl"]),
        ("%%gpugen --scheduler dpm", ["dpm++", "dpm++-karras"]),
        ("%%gpugen --embed ", ["thumbnail", "full", "none"]),
        ("%%gpugen --grid st", ["steps=", "strength="]),
        ("%gpugen --init ", ["photo"]),
        ("%gpugen re", ["retry", "replay"]),
        ("%gpugen a red ca", []),
        ("%%gpugen re", []),
        ("%gpugen", []),
        ("print --st", []),
        ("", []),
    ],
)
def test_it_knows_options_values_and_sub_commands(completer: Completer, line: str, found: list[str]) -> None:
    assert completer.candidates(line) == found


def test_a_shell_offers_them_and_asks_no_server(gpugen_shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpugen.session

    monkeypatch.setattr(gpugen.session, "Client", lambda *_: pytest.fail("a server was asked"))

    def offered(text: str) -> set[str]:
        with provisionalcompleter():
            return {found.text for found in gpugen_shell.Completer.completions(text, len(text))}

    assert offered("%%gpugen --st") == {"--steps", "--strength"}
    assert "emoji" in offered("%gpugen -m emo")
    assert "--steps" not in offered("%%gpugen --steps 3\na cat --st")


def test_unloading_takes_it_away(gpugen_shell: Any) -> None:
    before = len(gpugen_shell.Completer.custom_matchers)
    gpugen_shell.extension_manager.unload_extension("gpugen")
    assert len(gpugen_shell.Completer.custom_matchers) == before - 1
    gpugen_shell.extension_manager.load_extension("gpugen")
