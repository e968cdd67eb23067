"""One request to the API, taken apart and checked, as the functions that answer see it."""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request

from jwtrail.web.api import Endpoint
from jwtrail.web.security import Session
from jwtrail.web.services import Services
from jwtrail.web.settings import WebSettings

__all__ = ["MAX_BODY", "Call", "TooLarge", "read"]

MAX_BODY = 65_536
"""Bytes of a request body: a note of 2,000 characters fits many times."""

S = TypeVar("S", bound=Struct)


class TooLarge(Exception):  # noqa: N818  # reads as a sentence where it is caught
    """The body is longer than `MAX_BODY`."""


class Call(Struct, frozen=True, kw_only=True):
    """What a function of `handlers` is given.

    Args:
        path: values of the path's parameters.
        source: address of the browser.
    """

    services: Services
    settings: WebSettings
    session: Session
    source: str
    path: dict[str, str]
    query: Any = None
    body: Any = None


async def read(end: Endpoint, request: Request, services: Services, settings: WebSettings) -> Call:
    """The request as a `Call`.

    Raises:
        msgspec.ValidationError: query or body are not what the endpoint says; the message names the field.
        msgspec.DecodeError: the body is not JSON.
        TooLarge: the body is too long.
    """
    return Call(
        services=services,
        settings=settings,
        session=request.state.session,
        source=request.client.host if request.client else "",
        path={name: str(value) for name, value in request.path_params.items()},
        query=_query(end.query, request) if end.query else None,
        body=msgspec.json.decode(await _body(request), type=end.body) if end.body else None,
    )


def _query(kind: type[S], request: Request) -> S:
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    given = dict(request.query_params)
    if unknown := sorted(given.keys() - known):
        raise msgspec.ValidationError(
            f"Unknown parameter {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    # An empty parameter is what a form sends for "not set".
    return msgspec.convert({name: value for name, value in given.items() if value}, kind, strict=False)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLarge
    return bytes(body)
