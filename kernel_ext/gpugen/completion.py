"""Tab completion behind `%gpugen` and `%%gpugen`: options, their values, sub-commands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from gpugen.commands import NAMES
from gpugen.options import EMBED_KINDS, PROGRESS_KINDS, build_parser
from gpugen_protocol.request import SchedulerName

_GRID_KEYS = ("steps", "guidance", "seed", "size", "model", "scheduler", "strength", "negative", "prompt")
_OF_VARIABLES = {"--init", "--mask"}


class Completer:
    """Candidates for the word before the cursor; no server is asked for them.

    Args:
        models: gives the names of the models, from memory.
        names: the notebook's variables.
    """

    def __init__(self, models: Callable[[], Iterable[str]], names: Mapping[str, Any]) -> None:
        self._models = models
        self._names = names

    def candidates(self, line: str) -> list[str]:
        """What the last word of `line`, up to the cursor, may become; empty where it is not about gpugen."""
        magic, blank, rest = line.lstrip().partition(" ")
        if magic not in {"%gpugen", "%%gpugen"} or not blank:
            return []
        words = rest.split()
        word = "" if rest[-1:].isspace() or not words else words[-1]
        before = words if not word else words[:-1]
        return [each for each in self._fitting(magic, before, word) if each.startswith(word)]

    def _fitting(self, magic: str, before: list[str], word: str) -> Iterable[str]:
        values = self._values_of(before[-1]) if before else None
        if values is not None:
            return values
        if word.startswith("-"):
            return _options()
        if not before and magic == "%gpugen":
            return (*NAMES, *_options()) if not word else NAMES
        return _options() if not word else ()

    def _values_of(self, option: str) -> Iterable[str] | None:
        """What may follow `option`; None if nothing must."""
        if option in {"-m", "--model"}:
            return self._models()
        if option in _OF_VARIABLES:
            return sorted(name for name in self._names if not name.startswith("_"))
        known: dict[str, Iterable[str]] = {
            "--scheduler": get_args(SchedulerName),
            "--progress": PROGRESS_KINDS,
            "--embed": EMBED_KINDS,
            "--grid": [f"{key}=" for key in _GRID_KEYS],
        }
        return known.get(option)


def _options() -> list[str]:
    actions = build_parser()._actions
    return sorted(name for action in actions for name in action.option_strings if name.startswith("--"))


def install(shell: Any, completer: Completer) -> Callable[[], None]:
    """Let `shell` ask `completer`; gives what takes it away again. A shell that cannot is left alone."""
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:  # provisional by IPython's own word
        return lambda: None

    @context_matcher(identifier="gpugen")  # type: ignore[untyped-decorator]
    def match(context: Any) -> Any:
        line = context.text_until_cursor.rsplit("\n", 1)[-1]
        found = [SimpleCompletion(text, type="param") for text in completer.candidates(line)]
        return {"completions": found, "suppress": bool(found)}

    matchers = getattr(getattr(shell, "Completer", None), "custom_matchers", None)
    if matchers is None:
        return lambda: None
    matchers.append(match)

    def remove() -> None:
        with contextlib.suppress(ValueError):
            matchers.remove(match)

    return remove
