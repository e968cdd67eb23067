"""JSON answers, and errors as answers."""

from typing import Any

import msgspec
from starlette.responses import Response

from jwtrail.errors import AlertNotFound, DeliveryNotFound, EventNotFound, JwtrailError, KqlError, QueryError
from jwtrail.web.shapes import Failure, FailureBody

__all__ = ["NotSaved", "NotSigned", "NothingToUndo", "failure", "from_error", "json"]


class NothingToUndo(JwtrailError):  # noqa: N818  # reads as a sentence where it is raised
    """There is nothing to take back."""

    code = "not_revoked"


class NotSaved(JwtrailError):  # noqa: N818
    """No search is saved under this name."""

    code = "not_saved"


class NotSigned(JwtrailError):  # noqa: N818
    """The event is in the trail, but no signed checkpoint covers it yet."""

    code = "not_signed_yet"


_encode = msgspec.json.Encoder().encode


def json(value: Any, status: int = 200) -> Response:
    """A value as a JSON answer."""
    return Response(_encode(value), status, media_type="application/json")


def failure(status: int, code: str, message: str, *, where: str = "", hint: str = "") -> Response:
    """An answer that says what, where and what to do next."""
    return json(FailureBody(error=Failure(code=code, message=message, where=where, hint=hint)), status)


_STATUS: tuple[tuple[type[JwtrailError], int], ...] = (
    (AlertNotFound, 404),
    (DeliveryNotFound, 404),
    (EventNotFound, 404),
    (NothingToUndo, 404),
    (NotSaved, 404),
    (NotSigned, 409),
    (QueryError, 400),
)
"""The first that fits decides; whatever is not here is our fault."""


def from_error(error: JwtrailError) -> Response:
    """The answer for an error of ours. Queries get their place; anything but a request's fault is a 500."""
    if isinstance(error, KqlError):
        return json(FailureBody(error=_located(error)), 400)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return failure(status, error.code, error.message, where=error.where, hint=error.hint)


def _located(error: KqlError) -> Failure:
    return Failure(
        code=error.code,
        message=error.message,
        where=error.where,
        hint=error.hint,
        line=error.line,
        column=error.column,
        start=error.start,
        end=error.end,
        caret=error.caret,
    )
