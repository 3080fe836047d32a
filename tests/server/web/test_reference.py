"""Tests of the page about the API."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from gpugen_server.web.openapi import describe
from gpugen_server.web.reference import page
from gpugen_server.web.routes import ROUTES


class Parts(HTMLParser):
    """The text of a page, the names in it, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.names, self.links, self.tags, self.text = set(), set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.add(tag)
        self.names.add(found.get("id"))
        self.links.add(found.get("href", "openapi.json"))

    def handle_data(self, data):
        self.text += data


def test_it_is_served_to_everybody_and_names_every_address_and_message(ask):
    answer = ask("GET", "/docs", "")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    found, document = Parts(answer.text), describe(ROUTES)
    for path, methods in document["paths"].items():
        assert all(f"{method.upper()} {path}" in found.text for method in methods)
    assert set(document["components"]["schemas"]) <= found.names


def test_its_links_lead_somewhere_and_it_loads_nothing():
    found = Parts(page(describe(ROUTES)))
    assert {link.removeprefix("#") for link in found.links if link.startswith("#")} <= found.names
    assert {link for link in found.links if not link.startswith("#")} == {"openapi.json"}
    assert not found.tags & {"script", "img", "link", "iframe"}


def test_its_style_is_the_only_one_that_browsers_may_apply(ask):
    answer = ask("GET", "/docs", "")
    (style,) = re.findall("<style>(.*?)</style>", answer.text)
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{allowed}'; frame-ancestors 'none'; sandbox"


def test_what_a_field_takes_is_said_in_words():
    text = Parts(page(describe(ROUTES))).text
    assert "promptstringneededWhat the image shows." in text
    assert "widthinteger 8 to 2048 or nullelse nullPixels." in text


def test_texts_cannot_become_markup():
    schemas = {"A": {"description": "<b>", "properties": {"<i>": {"enum": ["</code>"], "default": "<"}}}}
    found = Parts(
        page({"info": {"title": "t", "version": "1"}, "paths": {}, "components": {"schemas": schemas}})
    )
    assert not found.tags & {"b", "i"}
    assert '<b><i>"</code>"else "<"' in found.text
