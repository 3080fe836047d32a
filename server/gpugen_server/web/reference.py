"""The description of the API as a page for people. It loads nothing from anywhere and runs no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from gpugen_server.web.handler import Handler

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "h2{margin-top:2.5em}h3{margin:2em 0 0}p{margin:.3em 0}"
    "td{vertical-align:top;padding:.1em 1.5em .1em 0;overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; sandbox"


class Reference(Handler):
    """`/docs`."""

    role = "public"

    async def get(self) -> None:
        """What `/openapi.json` says, to be read."""
        self.headers["Content-Security-Policy"] = _POLICY
        self.send(self.services.reference().encode(), "text/html; charset=utf-8")


def page(document: Mapping[str, Any]) -> str:
    """The OpenAPI `document` as HTML."""
    title = f"{escape(document['info']['title'])} {escape(document['info']['version'])}"
    body = [
        f"<h1>{title}: the HTTP API</h1>",
        "<p>Where a token is asked for, send <code>Authorization: Bearer TOKEN</code>. "
        'For programs: <a href="openapi.json">openapi.json</a>.</p>',
        "<h2>Addresses</h2>",
        *_addresses(document["paths"]),
        "<h2>Messages</h2>",
        *_messages(document["components"]["schemas"]),
    ]
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>'


def _addresses(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield f'<h3 id="{operation["operationId"]}"><code>{method.upper()} {escape(path)}</code></h3>'
            yield f"<p>{escape(operation['summary'])}</p>"
            yield from _operation(operation)


def _operation(operation: Mapping[str, Any]) -> Iterator[str]:
    query = [item["name"] for item in operation["parameters"] if item["in"] == "query"]
    if query:
        yield f"<p>Query: <code>{escape(' '.join(query))}</code></p>"
    if "requestBody" in operation:
        yield f"<p>Body: {_content(operation['requestBody'])}</p>"
    answers = (
        f"{status} {_content(answer)}"
        for status, answer in operation["responses"].items()
        if status != "default"
    )
    yield f"<p>Answer: {'; '.join(answers)}</p>"
    if "security" not in operation:
        yield "<p>Needs no token.</p>"


def _content(part: Mapping[str, Any]) -> str:
    found = part.get("content", {})
    links = (
        _kind(each["schema"]) if "$ref" in each["schema"] else escape(mime) for mime, each in found.items()
    )
    return ", ".join(links) or escape(part.get("description", ""))


def _messages(schemas: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>'
        needed = schema.get("required", ())
        rows = (_row(field, inner, field in needed) for field, inner in schema.get("properties", {}).items())
        yield f"<table>{''.join(rows)}</table>"


def _row(field: str, schema: Mapping[str, Any], needed: bool) -> str:
    about = (
        "needed" if needed else f"else <code>{_json(schema['default'])}</code>" if "default" in schema else ""
    )
    return (
        f"<tr><td><code>{escape(field)}</code><td>{_kind(schema)}<td>{about}<td>{escape(_says(schema))}</tr>"
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """What values fit, in words; the names of messages are links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{_json(each)}</code>" for each in schema["enum"])
    if isinstance(schema.get("items"), Mapping):
        return f"list of {_kind(schema['items'])}"
    bounds = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
    return escape(" ".join([schema.get("type", "anything"), " to ".join(bounds)]).strip())


def _says(schema: Mapping[str, Any]) -> str:
    """The sentence about a field, also where it may be null."""
    found = [schema, *schema.get("anyOf", ())]
    return next((each["description"] for each in found if "description" in each), "")


def _json(value: Any) -> str:
    return escape(msgspec.json.encode(value).decode())
