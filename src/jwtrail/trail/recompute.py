"""Entries recomputed from the typed columns of segments, by DuckDB alone (docs/formats/entry.md).

Nothing here has seen a log line: what a row says is turned into canonical JSON, hashed, and laid out as an entry.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE, Field, FieldClass

__all__ = ["COMMITMENT", "SALT", "RowHash", "connect", "quoted", "row_hashes", "text_literal"]

SALT = "jwtrail.salt"
COMMITMENT = "jwtrail.personal_commitment"
_FETCH = 10_000


class RowHash(Struct, frozen=True, gc=False):
    """What one row comes to.

    Args:
        position: place in the file, from 0.
        sequence: the index it claims.
        stored: the `event.hash` it carries.
        entry: its entry as its columns say, or empty when they cannot make one.
    """

    position: int
    sequence: int | None
    stored: str | None
    entry: bytes


def connect() -> "duckdb.DuckDBPyConnection":
    """A private in-memory DuckDB that never reaches for the network."""
    return duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """An SQL text."""
    return "'" + text.replace("'", "''") + "'"


def _member(field: Field) -> str:
    """SQL for `"name":value`, NULL when the field is absent."""
    column = quoted(field.name)
    head = text_literal(f'"{field.name}":')
    if field.type == "date" and not field.many:
        return f"{head} || strftime({column}, '\"%Y-%m-%dT%H:%M:%S.%fZ\"')"
    if field.type == "flattened" or (field.type in ("long", "boolean") and not field.many):
        return f"{head} || CAST({column} AS VARCHAR)"
    return f"{head} || CASE WHEN {column} IS NOT NULL THEN CAST(to_json({column}) AS VARCHAR) END"


def _canonical(klass: FieldClass, columns: frozenset[str]) -> str:
    members = [
        _member(field)
        for name, field in sorted(CATALOGUE.items())
        if field.klass == klass and name in columns
    ]
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'" if members else "'{}'"


def entry_sql(columns: frozenset[str]) -> str:
    """SQL for the 81 bytes of a row of a segment with these columns; NULL when a needed value is missing."""
    personal = f"unhex(sha256({quoted(SALT)} || encode({_canonical('personal', columns)})))"
    if COMMITMENT in columns:
        personal = f"coalesce({quoted(COMMITMENT)}, {personal})"
    return (
        f"'\\x01'::BLOB || unhex(replace({quoted('event.id')}, '-', ''))"
        f" || unhex(sha256({_canonical('public', columns)})) || {personal}"
    )


def row_hashes(
    connection: "duckdb.DuckDBPyConnection", path: Path, columns: frozenset[str], where: str = ""
) -> Iterator[RowHash]:
    """Recompute the rows of a segment, in file order.

    Args:
        columns: the columns of the file.
        where: further SQL condition over the columns and `file_row_number`.

    Raises:
        duckdb.Error: the file, or a part that is needed, cannot be read.
    """
    condition = f"WHERE {where}" if where else ""
    result = connection.execute(
        f"SELECT file_row_number, {quoted('event.sequence')}, {quoted('event.hash')}, {entry_sql(columns)}"  # noqa: S608  # names are the catalogue's
        f" FROM read_parquet({text_literal(str(path))}, file_row_number = true) {condition}"
        " ORDER BY file_row_number"
    )
    while rows := result.fetchmany(_FETCH):
        for position, sequence, stored, entry in rows:
            yield RowHash(position, sequence, stored, entry or b"")
