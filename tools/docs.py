"""Writes the generated pages of the documentation, docs/api/errors.md and openapi.json: `make docs`."""

from __future__ import annotations

import json
from pathlib import Path

from gpugen_protocol.errors import GpugenError, error_classes
from gpugen_protocol.failures import MEANINGS
from gpugen_server.web.openapi import describe
from gpugen_server.web.routes import ROUTES

API = Path(__file__).parent.parent / "docs" / "api"
HEAD = """\
# Error codes

Every error has a stable `code`; programs rely on it, and never on the words. Over HTTP an error is a
[problem document](https://www.rfc-editor.org/rfc/rfc9457) (`application/problem+json`) with `code`, the
sentence for the case in `detail`, what to do next in `hint`, and for bad input the refused fields in
`errors`. In Python the same error is the class, below `gpugen.GpugenError`.

Written by `make docs` from `gpugen_protocol/errors.py` and `failures.py`.

| code | HTTP | class | meaning |
|---|---|---|---|
"""
FAILURES_HEAD = """
## Why a task failed

The `error.code` of a task whose state is `failed`; `error.message` and `error.hint` say more of the case.

| code | meaning |
|---|---|
"""


def pages() -> dict[Path, str]:
    """The text of every generated file."""
    return {API / "errors.md": errors_page(), API / "openapi.json": openapi_page()}


def errors_page() -> str:
    """The table of all errors, those that travel first, each group by status and code; tasks' failures."""
    ordered = sorted(error_classes().items(), key=lambda item: (item[1].status, item[0]))
    failures = "".join(f"| `{code}` | {meaning} |\n" for code, meaning in sorted(MEANINGS.items()))
    return HEAD + "".join(_row(code, cls) for code, cls in ordered) + FAILURES_HEAD + failures


def _row(code: str, cls: type[GpugenError]) -> str:
    meaning = (cls.__doc__ or "").splitlines()[0]
    return f"| `{code}` | {cls.status} | `{cls.__name__}` | {meaning} |\n"


def openapi_page() -> str:
    """The description of the HTTP API, as the server answers it at `/openapi.json`."""
    return json.dumps(describe(ROUTES), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    API.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote docs/api/{path.name}")
