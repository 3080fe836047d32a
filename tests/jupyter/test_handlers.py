"""No handler of the extension answers a stranger. This is the check that fails when one would."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import JupyterServerAuthWarning
from tornado.httpclient import HTTPClientError
from tornado.web import Application

from gpugen_jupyter import routes

_VERBS = ("get", "head", "post", "put", "patch", "delete", "options")


def open_verbs(handlers: list[tuple[Any, ...]]) -> list[str]:
    """Each verb of our own that no decorator of Jupyter guards, as Class.verb."""
    return sorted(
        f"{handler.__name__}.{verb}"
        for handler in {route[1] for route in handlers}
        for verb in _VERBS
        if verb in vars(handler) and not hasattr(vars(handler)[verb], "__wrapped__")
    )


class _Open(JupyterHandler):
    def get(self) -> None:
        self.finish("anybody")


def test_every_verb_is_guarded() -> None:
    assert open_verbs(routes.routes()) == []


def test_the_check_would_find_an_open_one() -> None:
    assert open_verbs([*routes.routes(), ("/open", _Open)]) == ["_Open.get"]


def test_jupyter_s_own_check_finds_nothing(jp_serverapp: Any) -> None:
    """The configuration refuses what is not checked; adding the routes would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", JupyterServerAuthWarning)
        application: Application = jp_serverapp.web_app
        application.add_handlers(".*$", routes.routes())


@pytest.mark.parametrize("route", [route[0] for route in routes.routes()])
async def test_without_a_token_every_address_says_403(
    http_server_client: Any, jp_base_url: str, jp_serverapp: Any, route: str
) -> None:
    path = route.replace("(?P<id>[^/]+)", "x").replace("(?P<index>[^/]+)", "0").lstrip("/").replace("\\", "")
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(jp_base_url + path)
    assert caught.value.code == 403
