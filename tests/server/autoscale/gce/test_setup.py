"""Tests of what a server with the autoscaler gce needs, and of the sentences that say so."""

import asyncio
from importlib.util import find_spec as real_find_spec

import msgspec
import pytest

from gpugen_protocol.errors import Misconfigured, MissingExtra
from gpugen_server.autoscale.gce import setup
from gpugen_server.settings import Settings

GOOD = Settings(
    public_url="https://gpugen.example.org:8443/",
    gce_project="p",
    gce_zones="us-central1-a",
    gce_template="gpugen-worker",
)


def _refusal(**changes):
    with pytest.raises(Misconfigured) as refused:
        setup.check(msgspec.structs.replace(GOOD, **changes))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_is_complete_is_taken(tmp_path):
    provider = setup.make(msgspec.structs.replace(GOOD, data_dir=str(tmp_path)), lambda: 0.0)
    assert provider.name == "gce"
    asyncio.run(provider.close())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "needs a GPUGEN_PUBLIC_URL that its machines can reach over https"),
        ("http://gpugen.example.org", "which http://gpugen.example.org is not"),
        ("https://127.0.0.1:8787", "no machine in the cloud can reach"),
        ("https://localhost", "no machine in the cloud can reach"),
        ("https://192.168.1.7", "no machine in the cloud can reach"),
        ("https://[::1]", "no machine in the cloud can reach"),
        ("https://studio", "no machine in the cloud can reach"),
        ("https://studio.local", "no machine in the cloud can reach"),
        ("https://[fe80", "is no address: Invalid IPv6 URL"),
        ("https://gpugen.example.org:99999", "is no address: Port out of range"),
        ("https://ann:secret@gpugen.example.org", "holds more than an address"),
    ],
)
def test_an_address_that_no_machine_can_reach_is_refused(url, words):
    assert words in _refusal(public_url=url)


@pytest.mark.parametrize("name", ["project", "zones", "template"])
def test_what_is_missing_is_named(name):
    assert f"needs GPUGEN_GCE_{name.upper()}" in _refusal(**{f"gce_{name}": ""})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gce_zones": "us-central1"}, "'us-central1' is not a zone"),
        ({"gce_zones": " , "}, "names no zone"),
        ({"gce_machines": "a b"}, "'a b' is not a kind of machine"),
        ({"gce_template": "https://x"}, "is not an instance template"),
        ({"gce_max_run": 10.0}, "between 300 and 10368000"),
        ({"gce_boot": 0.0}, "between 60 and 86400"),
    ],
)
def test_what_cannot_be_is_named(changes, words):
    assert words in _refusal(**changes)


def test_a_model_that_machines_are_to_serve_and_nobody_knows_is_named():
    setup.check_models(GOOD, ["emoji"])
    settings = msgspec.structs.replace(GOOD, gce_models="emoji, sdlx")
    setup.check_models(settings, ["emoji", "sdlx"])
    with pytest.raises(Misconfigured, match="names 'sdlx', which is no model") as refused:
        setup.check_models(settings, ["sdxl", "emoji"])
    assert refused.value.hint == "It knows emoji, sdxl."


def test_a_slash_behind_the_address_does_not_reach_the_machines(tmp_path):
    provider = setup.make(msgspec.structs.replace(GOOD, data_dir=str(tmp_path)), lambda: 0.0)
    assert provider._terms.url == "https://gpugen.example.org:8443"
    asyncio.run(provider.close())


def test_without_googles_library_the_install_is_named(monkeypatch):
    def find_spec(name):
        return None if name.startswith("google") else real_find_spec(name)

    monkeypatch.setattr(setup, "find_spec", find_spec)
    with pytest.raises(MissingExtra, match=r"gpugen\[gcp\]"):
        setup.check(GOOD)


def test_the_label_of_a_server_is_where_it_is_found():
    assert setup.label(GOOD.public_url) == "gpugen-example-org-8443"
    assert setup.label("https://Gpugen.Example.org") == "gpugen-example-org"
    assert len(setup.label(f"https://{'a' * 60}.example.org")) == 63
