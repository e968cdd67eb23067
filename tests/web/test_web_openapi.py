"""The committed description is the one the table gives, and it says what a client relies on."""

import json

from jwtrail.web import openapi
from jwtrail.web.api import ENDPOINTS, PREFIX


def test_committed_file_is_current():
    assert openapi.FILE.read_bytes() == openapi.rendered(), "run: python -m jwtrail.web.openapi"


def test_every_endpoint_is_described_once():
    paths = json.loads(openapi.FILE.read_bytes())["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(end.method, PREFIX + end.path) for end in ENDPOINTS}
    assert len(described) == len(ENDPOINTS)
    assert len({end.name for end in ENDPOINTS}) == len(ENDPOINTS)


def test_query_names_are_those_of_the_wire():
    parameters = openapi.description()["paths"][PREFIX + "/top"]["get"]["parameters"]
    assert {(p["name"], p["required"]) for p in parameters} == {
        ("field", True),
        ("q", False),
        ("from", False),
        ("to", False),
        ("size", False),
    }


def test_answers_carry_every_field():
    schemas = openapi.description()["components"]["schemas"]
    assert set(schemas["Status"]["required"]) == set(schemas["Status"]["properties"])
    assert schemas["Failure"]["required"] == ["code", "message"]
    assert schemas["AlertChange"]["required"] == []
