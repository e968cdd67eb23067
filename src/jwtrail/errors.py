"""One tree of errors. `code` is stable: scripts and the trail may rely on it; catching a parent is always right.

Every error says what, where and what to do next. Nothing here ever carries a secret or a token.
"""

from typing import ClassVar

__all__ = [
    "AlertNotFound",
    "ConfigError",
    "CorruptionError",
    "DeliveryNotFound",
    "EngineAway",
    "EngineError",
    "EventNotFound",
    "HoldError",
    "IntegrityError",
    "JwtrailError",
    "KeyRefusedError",
    "KqlError",
    "LockedError",
    "NoteError",
    "NotifyError",
    "PredicateError",
    "ProofError",
    "QueryError",
    "RuleError",
    "ServeError",
    "StateError",
    "TokenError",
    "TrailError",
    "WriteError",
]


class JwtrailError(Exception):
    """Root of the tree.

    Args:
        message: what is wrong, in one line.
        where: file:line:column, `segment <name>`, `offset <n>` or a setting's name; empty when there is no place.
        hint: the next step for the reader; empty when there is none.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(JwtrailError):
    """A setting is unknown, has the wrong type or is out of bounds."""

    code = "config_invalid"


class ServeError(JwtrailError):
    """The daemon or the console cannot start: a taken port, a missing directory, a read-only disk."""

    code = "serve_failed"


class StateError(JwtrailError):
    """`state.db` cannot be opened, read or written."""

    code = "state_failed"


class TokenError(JwtrailError):
    """A token cannot be issued or exchanged; `code` of the instance is a reason of `ecs.reasons`."""

    code = "token_error"

    def __init__(self, reason: str, message: str = "", *, where: str = "", hint: str = "") -> None:
        super().__init__(message or reason, where=where, hint=hint)
        self.reason = reason


class KeyRefusedError(TokenError):
    """A key is too weak, malformed or used for something it is not for; found when it is loaded."""

    code = "key_refused"


class TrailError(JwtrailError):
    """Something about the trail on disk."""

    code = "trail_error"


class LockedError(TrailError):
    """Another daemon holds this data directory."""

    code = "trail_locked"


class WriteError(TrailError):
    """An event could not be made durable."""

    code = "trail_write_failed"


class HoldError(TrailError):
    """A legal hold forbids removing anything."""

    code = "trail_on_hold"


class CorruptionError(TrailError):
    """A file of the trail is damaged; `where` names file and offset."""

    code = "trail_corrupt"


class IntegrityError(TrailError):
    """The trail does not match what was signed, or signing would contradict it."""

    code = "trail_broken"


class NoteError(IntegrityError):
    """A signed note or checkpoint is malformed or does not verify."""

    code = "note_invalid"


class ProofError(IntegrityError):
    """An inclusion or consistency proof is short, long or wrong."""

    code = "proof_invalid"


class QueryError(JwtrailError):
    """A query cannot be run."""

    code = "query_invalid"


class KqlError(QueryError):
    """KQL that does not parse or names what does not exist.

    Args:
        text: the whole query, for the caret line.
        start: offset of the first wrong character, 0-based, in code points.
        end: offset behind the last wrong character.
    """

    code = "kql_invalid"

    def __init__(
        self, message: str, *, text: str, start: int, end: int | None = None, hint: str = ""
    ) -> None:
        self.text = text
        self.start = min(start, len(text))
        self.end = max(self.start, min(len(text), end if end is not None else start + 1))
        self.line = text.count("\n", 0, self.start) + 1
        self.column = self.start - (text.rfind("\n", 0, self.start) + 1) + 1
        super().__init__(message, where=f"query:{self.line}:{self.column}", hint=hint)

    @property
    def caret(self) -> str:
        """The line of the query that is wrong, and a second line with carets below the wrong part."""
        line = self.text.split("\n")[self.line - 1]
        width = max(1, min(self.end - self.start, len(line) - self.column + 1))
        return f"{line}\n{' ' * (self.column - 1)}{'^' * width}"


class PredicateError(QueryError):
    """A back end cannot express this predicate; it is refused, never approximated."""

    code = "predicate_unsupported"


class EventNotFound(QueryError):  # noqa: N818  # reads as a sentence where it is caught
    """No event has this id."""

    code = "event_not_found"


class AlertNotFound(QueryError):  # noqa: N818
    """No alert has this id."""

    code = "alert_not_found"


class DeliveryNotFound(QueryError):  # noqa: N818
    """No delivery has this id."""

    code = "delivery_not_found"


class NotifyError(JwtrailError):
    """Somebody could not be told.

    Args:
        final: trying again cannot help: the receiver refused it, or the channel is set up wrongly.
        retry_after_s: the receiver asked not to be tried before; 0 when it did not say.
    """

    code = "notify_failed"

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", final: bool = False, retry_after_s: int = 0
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.final = final
        self.retry_after_s = retry_after_s


class EngineError(JwtrailError):
    """Elasticsearch or OpenSearch refused a request, or its answer cannot be used.

    Args:
        status: HTTP status; 0 when there was no answer.
        kind: the engine's own type of error, such as `mapper_parsing_exception`.
        retry_after_s: how long the engine asks to be left alone; None when it does not say.
    """

    code = "engine_failed"

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        kind: str = "",
        retry_after_s: float | None = None,
        where: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
        self.kind = kind
        self.retry_after_s = retry_after_s


class EngineAway(EngineError):  # noqa: N818  # reads as a sentence where it is caught
    """No answer, or not all of it.

    Args:
        maybe_done: the engine may have carried the request out; False when it never got there.
        timed_out: it was there and took too long.
    """

    code = "engine_away"

    def __init__(
        self, message: str, *, maybe_done: bool, timed_out: bool = False, where: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.maybe_done = maybe_done
        self.timed_out = timed_out


class RuleError(JwtrailError):
    """A detection rule is malformed or uses what is not supported.

    Args:
        file: the rule file's name.
        line: 1-based; 0 when not known.
        column: 1-based; 0 when not known.
    """

    code = "rule_invalid"

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        self.file = file
        self.line = line
        self.column = column
        place = ":".join(str(part) for part in (file, line, column) if part)
        super().__init__(message, where=place, hint=hint)
