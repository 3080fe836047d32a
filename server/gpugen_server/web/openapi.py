"""The description of the API for other programs, made from the very types that check it."""

from __future__ import annotations

import http
import inspect
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from gpugen_protocol import __version__
from gpugen_protocol.errors import PROBLEM_TYPE, Problem
from gpugen_protocol.paths import Path
from gpugen_server.web.handler import Handler
from gpugen_server.web.route import Call, Page, Route

_REFERENCE = "#/components/schemas/{name}"


class OpenApi(Handler):
    """`/openapi.json`."""

    role = "public"

    async def get(self) -> None:
        """The whole description."""
        self.answer(self.services.describe())


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """An OpenAPI 3.1 document of `routes`."""
    routes = tuple(routes)
    calls = [call for route in routes for call in route.calls.values()]
    types = {kind for call in calls for kind in (call.body, call.answer) if _is_schema(kind)}
    ordered = [Problem, *sorted(types, key=lambda kind: kind.__name__)]
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    by_type = dict(zip(ordered, schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {"title": "gpugen", "version": __version__},
        "paths": {route.path.template: _methods(route, by_type) for route in routes},
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _methods(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    return {method: _operation(route, method, call, schemas) for method, call in route.calls.items()}


def _operation(route: Route, method: str, call: Call, schemas: dict[Any, Any]) -> dict[str, Any]:
    problem = {"description": "What went wrong.", "content": {PROBLEM_TYPE: {"schema": schemas[Problem]}}}
    content = _content(call.answer, schemas)
    operation: dict[str, Any] = {
        "operationId": f"{method}_{route.handler.__name__}",
        "summary": inspect.getdoc(getattr(route.handler, method)) or inspect.getdoc(route.handler),
        "parameters": [*_path_parameters(route.path), *_query_parameters(call.query)],
        "responses": {
            **{str(status): _success(status, content) for status in (call.status, *call.also)},
            "default": problem,
        },
    }
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(call.body, schemas)}
    if route.handler.role != "public":
        operation["security"] = [{"token": []}]
    return operation


def _success(status: int, content: dict[str, Any]) -> dict[str, Any]:
    has_content = content and status in {200, 201}
    return {"description": http.HTTPStatus(status).phrase, **({"content": content} if has_content else {})}


def _content(kind: Any, schemas: dict[Any, Any]) -> dict[str, Any]:
    if kind is None:
        return {}
    if kind in {str, Page}:
        return {"text/html" if kind is Page else "text/plain": {"schema": {"type": "string"}}}
    if kind is bytes:
        return {"image/png": {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": schemas.get(kind, {"type": "object"})}}


def _path_parameters(path: Path) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.compile(path.regex).groupindex
    ]


def _query_parameters(kind: Any) -> list[dict[str, Any]]:
    if kind is None:
        return []
    properties = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _is_schema(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
