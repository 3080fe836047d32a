"""The text of a cell: the prompt, the negative prompt after a line `---`, and the variables in `{{ }}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

_HOLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = r"[^\W\d]\w*"
_STEP = rf"\.{_NAME}|\[-?\d+\]|\['[^'\]]*'\]|\[\"[^\"\]]*\"\]"
_PATH = re.compile(rf"({_NAME})((?:{_STEP})*)")
_LINE = re.compile(r"^[ \t]*---[ \t]*$", re.MULTILINE)


def split(text: str) -> tuple[str, str]:
    """The prompt and the negative prompt; the latter stands below the first line that is `---` alone."""
    found = _LINE.search(text)
    if found is None:
        return text.strip(), ""
    return text[: found.start()].strip(), text[found.end() :].strip()


def fill(text: str, names: Mapping[str, Any]) -> str:
    """`text` with each `{{name}}`, `{{obj.attribute}}` and `{{items[0]}}` replaced, in one pass.

    What a variable holds is taken as it is: braces in it mean nothing.

    Raises:
        UsageError: there is no such variable, or something else than a name stands in the braces.
    """
    return _HOLE.sub(lambda found: str(look_up(found[1].strip(), names)), text)


def holes(text: str) -> set[str]:
    """The names of the variables that `text` asks for."""
    return {found[1] for hole in _HOLE.findall(text) if (found := _PATH.fullmatch(hole.strip()))}


def look_up(path: str, names: Mapping[str, Any]) -> Any:
    """What `path`, such as `cats[0].name`, stands for; raises as `fill`."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise UsageError(
            f"{{{{{path}}}}} is not a variable; name, obj.attribute and items[0] can be filled in. "
            "--raw takes braces literally."
        )
    if found[1] not in names:
        raise UsageError(
            f"There is no variable {found[1]!r} for {{{{{path}}}}}. --raw takes braces literally."
        )
    value = names[found[1]]
    for step in re.findall(_STEP, found[2]):
        value = _go(value, step, path)
    return value


def _go(value: Any, step: str, path: str) -> Any:
    try:
        if step.startswith("."):
            return getattr(value, step[1:])
        inside = step[1:-1]
        return value[inside[1:-1] if inside[0] in "'\"" else int(inside)]
    except Exception as error:  # whatever the object raises: it is about the notebook's own variable
        raise UsageError(f"{{{{{path}}}}} has no {step}: {type(error).__name__}: {error}") from None
