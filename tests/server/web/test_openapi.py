import json
import re

from gpugen_server.web.openapi import describe
from gpugen_server.web.routes import ROUTES


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_description_is_served_and_names_every_address(ask):
    document = ask("GET", "/openapi.json", "").json()
    assert document == json.loads(json.dumps(describe(ROUTES)))
    assert set(document["paths"]) == {route.path.template for route in ROUTES}


def test_every_reference_leads_somewhere():
    document = describe(ROUTES)
    names = set(document["components"]["schemas"])
    found = set(references(document))
    assert found
    assert {reference.rsplit("/", 1)[1] for reference in found} <= names


def test_every_hole_of_an_address_is_a_parameter():
    for path, methods in describe(ROUTES)["paths"].items():
        for operation in methods.values():
            named = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))


def test_bounds_and_scopes_are_part_of_it():
    document = describe(ROUTES)
    width = document["components"]["schemas"]["TaskRequest"]["properties"]["width"]
    assert "2048" in json.dumps(width)
    assert document["paths"]["/api/v1/tasks"]["post"]["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]


def test_every_operation_has_its_own_name_and_a_sentence():
    operations = [o for methods in describe(ROUTES)["paths"].values() for o in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)
