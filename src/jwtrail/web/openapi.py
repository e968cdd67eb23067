"""OpenAPI 3.1 from the table in `api.py`. `python -m jwtrail.web.openapi` rewrites the committed `openapi.json`."""

import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from jwtrail import __version__
from jwtrail.web.api import ENDPOINTS, PREFIX, Endpoint
from jwtrail.web.shapes import Failure, FailureBody

__all__ = ["FILE", "description", "rendered"]

FILE = Path(__file__).with_name("openapi.json")
_REF = "#/components/schemas/{name}"
_FAILURES = {
    400: "The request is wrong; a query says where.",
    401: "Not signed in.",
    403: "The CSRF token or the origin is wrong.",
    404: "There is no such thing.",
    409: "Not possible yet.",
}


def description() -> dict[str, Any]:
    """The OpenAPI document as a JSON value."""
    types = [kind for end in ENDPOINTS for kind in (end.query, end.body, end.answer) if kind is not None]
    types.append(FailureBody)
    made, components = msgspec.json.schema_components(types, ref_template=_REF)
    schemas = {_key(kind): schema for kind, schema in zip(types, made, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for end in ENDPOINTS:
        paths.setdefault(PREFIX + end.path, {})[end.method.lower()] = _operation(end, schemas, components)
    queries = {end.query.__name__ for end in ENDPOINTS if end.query}
    bodies = {end.body.__name__ for end in ENDPOINTS if end.body}
    for name in components.keys() - queries - bodies - {Failure.__name__}:
        # Defaults spare the server code; an answer always carries every field.
        components[name]["required"] = list(components[name].get("properties", ()))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jwtrail",
            "version": __version__,
            "description": "The HTTP API of `jwtrail serve`. Sign in with the link it prints; unsafe requests carry `X-CSRF-Token`.",
        },
        "servers": [{"url": "."}],
        "security": [{"session": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in sorted(components.items()) if name not in queries},
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "jwtrail_session"}},
        },
    }


def rendered() -> bytes:
    """The document as the bytes of `openapi.json`."""
    return msgspec.json.format(msgspec.json.encode(description()), indent=2) + b"\n"


def _key(kind: Any) -> str:
    return getattr(kind, "__name__", "") if isinstance(kind, type) else repr(kind)


def _operation(end: Endpoint, schemas: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", end.path)
    ]
    if end.query is not None:
        parameters += _parameters(components[end.query.__name__])
    made: dict[str, Any] = {"operationId": end.name, "summary": end.summary, "parameters": parameters}
    if end.body is not None:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[_key(end.body)]}},
        }
    made["responses"] = _responses(end, schemas)
    return made


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": value}
        for name, value in schema["properties"].items()
    ]


def _responses(end: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    failure = {"application/json": {"schema": schemas[_key(FailureBody)]}}
    answers: dict[str, Any] = {}
    if end.kind == "file":
        answers["200"] = {
            "description": "The file.",
            "content": {"application/x-ndjson": {}, "text/csv": {}},
        }
    elif end.answer is None:
        answers["204"] = {"description": "Done."}
    else:
        media = "text/event-stream" if end.kind == "stream" else "application/json"
        answers["200"] = {
            "description": "The data of each message." if end.kind == "stream" else "The answer.",
            "content": {media: {"schema": schemas[_key(end.answer)]}},
        }
    for status in (400, 401, 403, *end.fails):
        answers[str(status)] = {"description": _FAILURES[status], "content": failure}
    return answers


if __name__ == "__main__":
    FILE.write_bytes(rendered())
    sys.stderr.write(f"wrote {FILE.name}\n")
