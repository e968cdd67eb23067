"""What a rule says about itself, read from its YAML."""

import uuid
from typing import Any, cast, get_args

import msgspec
from sigma.correlations import SigmaCorrelationTimespan
from sigma.exceptions import SigmaTimespanError
from sigma.rule import SigmaRuleBase

from jwtrail.sigma.document import Document
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.locate import from_msgspec
from jwtrail.sigma.records import Extension, Level, Meta
from jwtrail.sigma.values import field_of

__all__ = ["KEEP_FIRING", "MAX_SPAN_US", "read_extension", "read_meta", "read_span"]

MAX_SPAN_US = 32 * 86_400_000_000
"""Longest window or quiet time, µs: a month. State lives in memory; longer memory needs a baseline, not a window."""

KEEP_FIRING = -1
"""Quiet time of a rule that alerts at every match, though its kind would be quiet."""

_NAMESPACE = uuid.UUID("5d0d6a3c-7b0e-5b0c-9a51-2d2f1d5a7c11")


def read_meta(document: Document, parsed: SigmaRuleBase) -> Meta:
    """The head of a rule, with the attribute `jwtrail:`.

    Raises:
        RuleError: no id, or `jwtrail:` does not have the shape of `Extension`.
    """
    extension = read_extension(document)
    if parsed.id is None and not parsed.name:
        raise document.error(
            "the rule has no id", hint="add `id:` with a UUID; alerts keep their ids through it"
        )
    tags = tuple(f"{tag.namespace}.{tag.name}".lower() for tag in parsed.tags)
    line, _ = document.place(("title",))
    return Meta(
        id=str(parsed.id or uuid.uuid5(_NAMESPACE, parsed.name or "")),
        title=parsed.title,
        level=_level(parsed),
        file=document.file,
        line=line,
        code=extension.code,
        name=parsed.name or "",
        status=parsed.status.name.lower() if parsed.status else "",
        description=(parsed.description or "").strip(),
        author=parsed.author or "",
        version=str(parsed.modified or parsed.date or ""),
        tags=tags,
        techniques=_tagged(tags, "attack.t", lambda rest: f"T{rest.upper()}", digits=True),
        tactics=_tagged(tags, "attack.", lambda rest: rest, digits=False),
        owasp=_tagged(tags, "owasp.", lambda rest: rest.upper(), digits=None),
        falsepositives=tuple(str(text) for text in parsed.falsepositives),
        references=tuple(str(text) for text in parsed.references),
        enabled=extension.enabled,
        waits_for=extension.waits_for,
        alert=extension.alert,
        group_by=extension.group_by,
        suppress_us=_suppress(document, extension.suppress),
        reset=extension.reset,
        holds_back=extension.holds_back,
        response=extension.response,
        examples=extension.examples,
    )


def read_span(document: Document, text: Any, path: tuple[str | int, ...], most_us: int = MAX_SPAN_US) -> int:
    """`10m` in µs.

    Raises:
        RuleError: not a time span, or longer than `most_us`.
    """
    try:
        span = int(SigmaCorrelationTimespan(text).seconds) * 1_000_000
    except SigmaTimespanError as error:
        raise document.error(str(error.args[0]), path, "a number and s, m, h, d or w") from None
    if span > most_us:
        raise document.error(f"a time span longer than {most_us // 86_400_000_000} days", path)
    return span


def _suppress(document: Document, text: str) -> int:
    if text == "none":
        return KEEP_FIRING
    return read_span(document, text, ("jwtrail", "suppress")) if text else 0


def read_extension(document: Document) -> Extension:
    """The attribute `jwtrail:` of a rule.

    Raises:
        RuleError: it does not have the shape of `Extension`.
    """
    given = document.data.get("jwtrail", {})
    try:
        extension = msgspec.convert(given, Extension)
        for field in extension.group_by:
            if field_of(field).many:
                raise document.error(
                    f"{field} holds a list and cannot tell groups apart", ("jwtrail", "group-by")
                )
    except msgspec.ValidationError as error:
        raise from_msgspec(document, str(error), ("jwtrail",)) from None
    except LowerError as error:
        raise document.error(error.message, ("jwtrail", "group-by"), error.hint) from None
    return extension


def _level(parsed: SigmaRuleBase) -> Level:
    name = parsed.level.name.lower() if parsed.level else "medium"
    assert name in get_args(Level)
    return cast("Level", name)


def _tagged(tags: tuple[str, ...], prefix: str, shape: Any, *, digits: bool | None) -> tuple[str, ...]:
    """The tags of a namespace; `digits` tells ATT&CK techniques (`attack.t1606`) from tactics by what follows."""
    made = []
    for tag in tags:
        rest = tag.removeprefix(prefix)
        technique = tag.startswith("attack.t") and tag[8:9].isdigit()
        if rest != tag and (digits is None or technique is digits):
            made.append(shape(rest))
    return tuple(dict.fromkeys(made))
