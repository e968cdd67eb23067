"""What the segments hold about a person."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import duckdb
import msgspec
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.errors import CorruptionError, QueryError
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.person import ENCODED, PERSONAL, Finder, Person, forms_of
from jwtrail.trail.recompute import Engine, parquet, quoted, text_literal

__all__ = ["Held", "find", "holdings"]

CHUNK = 500
"""Identifiers of one look: an automaton over more would leave RE2's memory."""

_TEXT = frozenset(name for name in PERSONAL if CATALOGUE[name].type not in ("long", "boolean", "date"))
_ISO = "%Y-%m-%dT%H:%M:%S.%fZ"

Tell = Callable[[int, int], None]


class Held(Struct, frozen=True):
    """Rows of one segment that tell of a person."""

    segment: SegmentInfo
    docs: tuple[dict[str, Any], ...]


def find(
    layout: Layout, segments: Sequence[SegmentInfo], subject: str, tell: Tell | None = None
) -> tuple[Person, list[Held]]:
    """Everything sealed that tells of a person, and the identifiers that were found on the way.

    First their own events are read for further identifiers, then everything is searched for all of them.

    Args:
        subject: their `user.id`.
        tell: called with (segments read, segments to read).

    Raises:
        QueryError: no person is named; an empty text would be found in everybody's records.
        CorruptionError: a segment cannot be read.
    """
    if not subject.strip():
        raise QueryError("no person is named", hint="ID is the person's user.id")
    person = Person(subject)
    with Engine() as engine:
        for number, segment in enumerate(segments):
            person = person.known_by(holdings(engine, layout, segment, person).docs)
            if tell:
                tell(number + 1, 2 * len(segments))
        found = []
        for number, segment in enumerate(segments):
            found.append(holdings(engine, layout, segment, person))
            if tell:
                tell(len(segments) + number + 1, 2 * len(segments))
    return person, [held for held in found if held.docs]


def holdings(engine: Engine, layout: Layout, segment: SegmentInfo, person: Person) -> Held:
    """The rows of a segment that tell of a person, as flat documents.

    Raises:
        CorruptionError: the segment cannot be read.
    """
    path = layout.segments / segment.file
    names = [name for name in CATALOGUE if name in segment.columns]
    encoded = any(quote(one, safe="") != one for one in person.identifiers)
    texts = [_text(name, encoded=encoded) for name in names if name in _TEXT]
    if not texts:
        return Held(segment, ())
    chosen = ", ".join(
        f"strftime({quoted(name)}, '{_ISO}')" if CATALOGUE[name].type == "date" else quoted(name)
        for name in names
    )
    # DuckDB only narrows the rows down: what counts is decided in one place, by `Finder`.
    rows: dict[int, tuple[Any, ...]] = {}
    try:
        for pattern in _patterns(person):
            sql = (
                f"SELECT file_row_number, {chosen} FROM {parquet(path)}"  # noqa: S608  # names are the catalogue's
                f" WHERE regexp_matches(concat_ws(chr(10), {', '.join(texts)}), {text_literal(pattern)})"
            )
            rows |= {row[0]: row[1:] for row in engine.rows(sql)}
    except duckdb.Error as error:
        raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error
    finder = Finder(person)
    docs = (_document(names, rows[number]) for number in sorted(rows))
    return Held(segment, tuple(doc for doc in docs if finder.in_event(doc)))


def _text(name: str, *, encoded: bool) -> str:
    if CATALOGUE[name].many:
        return f"array_to_string({quoted(name)}, chr(10))"
    if encoded and name in ENCODED:
        return f"{quoted(name)}, TRY(url_decode(replace({quoted(name)}, '+', ' ')))"
    return quoted(name)


def _patterns(person: Person) -> list[str]:
    """Each identifier as it stands in a text, inside JSON and in an address; names in any case."""
    forms = {form for one in person.identifiers for form in forms_of(one)}
    forms |= {msgspec.json.encode(form)[1:-1].decode() for form in forms} | {quote(form) for form in forms}
    escaped = sorted(
        re.sub(r"([^\w])", r"\\\1", form, flags=re.ASCII) if form.isascii() else re.escape(form)
        for form in forms
    )
    return ["(?i)" + "|".join(escaped[at : at + CHUNK]) for at in range(0, len(escaped), CHUNK)]


def _document(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {
        name: msgspec.json.decode(value) if CATALOGUE[name].type == "flattened" else value
        for name, value in zip(names, row, strict=True)
        if value is not None
    }
