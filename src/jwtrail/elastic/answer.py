"""What an engine said: an answer, or an error in its own words."""

import contextlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from jwtrail.errors import EngineError

__all__ = ["Answer", "refusal"]

T = TypeVar("T")

MAX_WORDS = 500
"""Characters of an engine's reason that are kept; a mapping conflict repeats whole documents."""

_HINTS = {
    401: "say who you are: engine.user and engine.password_file, or engine.api_key_file",
    403: "the role of this user may not do that: docs/how-to/elasticsearch.md lists what each task needs",
    413: "send less in one request",
    429: "the engine is busy; try again later",
}


class Answer(Struct, frozen=True):
    """One answer of an engine.

    Args:
        status: HTTP status.
        headers: names in small letters.
        raw: the body, unpacked.
        ms: time from the first byte sent to the last one read.
    """

    status: int
    headers: Mapping[str, str]
    raw: bytes
    ms: float

    @property
    def json(self) -> Any:
        """The body as JSON values; None when it is empty or something else, or nested too deep."""
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            return msgspec.json.decode(self.raw)
        return None

    def read(self, kind: type[T]) -> T:
        """The body as a Struct, which is much cheaper than `json` when it is large.

        Raises:
            EngineError: it does not have that form.
        """
        try:
            return msgspec.json.decode(self.raw, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise EngineError(f"the answer is not understood: {error}", status=self.status) from error


def refusal(answer: Answer, where: str) -> EngineError:
    """The error of an answer with a status from 400 on, with the engine's own cause."""
    kind, reason = _cause(answer.json)
    words = f"{kind}: {reason}" if kind and reason else kind or reason or "no reason was given"
    return EngineError(
        f"status {answer.status}, {words}"[:MAX_WORDS],
        status=answer.status,
        kind=kind,
        retry_after_s=_seconds(answer.headers.get("retry-after", "")),
        where=where,
        hint=_HINTS.get(answer.status, ""),
    )


def _cause(body: Any) -> tuple[str, str]:
    """The innermost type and reason of an error; minimal builds and proxies say less."""
    if not isinstance(body, dict):
        return "", ""
    error = body.get("error", "")
    if isinstance(error, str):  # Kibana, and requests that no handler took
        return error, str(body.get("message", ""))
    if not isinstance(error, dict):
        return "", ""
    deepest = _shard(error)
    for _ in range(8):  # causes of causes; deeper ones are Java's, not ours
        inner = deepest.get("caused_by")
        if not isinstance(inner, dict):
            break
        deepest = inner
    kind, reason = str(error.get("type") or ""), str(error.get("reason") or "")
    cause = str(deepest.get("reason") or "")
    return kind, reason if cause in ("", reason) else f"{reason}: {cause}"


def _shard(error: dict[str, Any]) -> dict[str, Any]:
    """What the first shard that failed said, where the error itself only says that some did."""
    shards = error.get("failed_shards")
    first = (
        shards[0].get("reason")
        if isinstance(shards, list) and shards and isinstance(shards[0], dict)
        else None
    )
    return first if isinstance(first, dict) else error


def _seconds(text: str) -> float | None:
    """`Retry-After` in seconds (RFC 9110 section 10.2.3); a date is not worth a second clock."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
