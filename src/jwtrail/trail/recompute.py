"""Entries recomputed from the typed columns of segments, by DuckDB alone (docs/formats/entry.md).

Nothing here has seen a log line: what a row says is turned into canonical JSON, hashed, and laid out as an entry.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import duckdb
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE, Field, FieldClass

__all__ = [
    "COMMITMENT",
    "SALT",
    "Engine",
    "RowHash",
    "commitment_sql",
    "entry_sql",
    "leaf_hashes",
    "member_sql",
    "parquet",
    "quoted",
    "row_hashes",
    "text_literal",
]

SALT = "jwtrail.salt"
COMMITMENT = "jwtrail.personal_commitment"

CHUNK = 1024
"""Rows handed over at once while streaming: what is in memory, and small enough to stay in the processor's cache."""


class RowHash(Struct, frozen=True, gc=False):
    """What one row comes to.

    Args:
        position: place in the file, from 0.
        sequence: the index it claims.
        entry: its entry as its columns say, or empty when they cannot make one.
    """

    position: int
    sequence: int | None
    entry: bytes


class Engine:
    """A private in-memory DuckDB that never reaches for the network; opened when first used, and anew after an error.

    A damaged file can leave an engine unusable, and opening one takes 15 ms: so it is kept, but not past an error.

    Args:
        threads: cores it may use; all when None.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self._ended = False
        self._connection: duckdb.DuckDBPyConnection | None = None

    def rows(self, sql: str) -> list[Any]:
        """All rows of a statement.

        Raises:
            duckdb.Error: the statement, or a file it reads, is bad.
        """
        try:
            return self._open().execute(sql).fetchall()
        except duckdb.Error:
            self.close()
            raise

    def stream(self, sql: str) -> Iterator[list[Any]]:
        """The rows of a statement, some at a time; nothing is held of those that were given.

        Raises:
            duckdb.Error: as `rows`; what was given before is good.
        """
        try:
            with closing(self._open().cursor()) as cursor:
                cursor.execute(sql)
                while rows := cursor.fetchmany(CHUNK):
                    yield rows
        except duckdb.Error:
            self.close()
            raise

    def interrupt(self) -> None:
        """End the statement that another thread runs, and begin no other: either raises `duckdb.Error` there."""
        self._ended = True
        if (connection := self._connection) is not None:
            connection.interrupt()

    def close(self) -> None:
        """Let go of it; it opens again when used."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._ended:
            raise duckdb.InterruptException("interrupted")
        if self._connection is None:
            offline: dict[str, Any] = {
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
            if self._threads is not None:
                offline["threads"] = self._threads
            self._connection = duckdb.connect(":memory:", config=offline)
        return self._connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """An SQL text."""
    return "'" + text.replace("'", "''") + "'"


def parquet(path: Path) -> str:
    """An SQL table function over the rows of a file, with `file_row_number`."""
    return f"read_parquet({text_literal(str(path))}, file_row_number = true)"


def member_sql(field: Field) -> str:
    """SQL for `"name":value`, NULL when the field is absent."""
    column = quoted(field.name)
    head = text_literal(f'"{field.name}":')
    if field.type == "date" and not field.many:
        return f"{head} || strftime({column}, '\"%Y-%m-%dT%H:%M:%S.%fZ\"')"
    if field.type == "flattened" or (field.type in ("long", "boolean") and not field.many):
        return f"{head} || CAST({column} AS VARCHAR)"
    # Not `CASE WHEN … IS NOT NULL`, which takes half as long again; a text is quoted, so none of them is `null`.
    return f"{head} || nullif(CAST(to_json({column}) AS VARCHAR), 'null')"


def _canonical(klass: FieldClass, columns: frozenset[str]) -> str:
    members = [
        member_sql(field)
        for name, field in sorted(CATALOGUE.items())
        if field.klass == klass and name in columns
    ]
    return f"concat('{{', concat_ws(',', {', '.join(members)}), '}}')" if members else "'{}'"


def commitment_sql(columns: frozenset[str]) -> str:
    """SQL for the personal commitment of a row: what its columns give, or what an erasure left of it.

    What an erasure left counts only in a row without salt and personal fields; else it is NULL. A kept commitment
    beside fields would let anybody write other fields.
    """
    computed = f"unhex(sha256({quoted(SALT)} || encode({_canonical('personal', columns)})))"
    if COMMITMENT not in columns:
        return computed
    kept = quoted(COMMITMENT)
    return f"CASE WHEN {kept} IS NULL THEN {computed} WHEN {_empty(columns)} THEN {kept} END"


def _empty(columns: frozenset[str]) -> str:
    """SQL for: nothing in this row tells of a person, nor would a salt."""
    personal = (name for name in sorted(columns & CATALOGUE.keys()) if CATALOGUE[name].klass == "personal")
    return " AND ".join(f"{quoted(name)} IS NULL" for name in (SALT, *personal))


def entry_sql(columns: frozenset[str]) -> str:
    """SQL for the 81 bytes of a row of a segment with these columns; NULL when a needed value is missing."""
    return (
        f"'\\x01'::BLOB || unhex(replace({quoted('event.id')}, '-', ''))"
        f" || unhex(sha256({_canonical('public', columns)})) || {commitment_sql(columns)}"
    )


def row_hashes(engine: Engine, path: Path, columns: frozenset[str], where: str = "true") -> list[RowHash]:
    """Recompute the rows of a segment, in file order.

    Args:
        columns: the columns of the file.
        where: SQL condition over the columns and `file_row_number`.

    Raises:
        duckdb.Error: the file, or a part that is needed, cannot be read.
    """
    rows = engine.rows(
        f"SELECT file_row_number, {quoted('event.sequence')}, {entry_sql(columns)}"  # noqa: S608  # names are the catalogue's
        f" FROM {parquet(path)} WHERE {where} ORDER BY file_row_number"
    )
    return [RowHash(position, sequence, entry or b"") for position, sequence, entry in rows]


def leaf_hashes(
    engine: Engine, path: Path, columns: frozenset[str], recorded: Sequence[str | None] = ()
) -> Iterator[list[bytes | None]]:
    """The leaf hash of each row of a segment, in file order; None for a row whose columns cannot make an entry.

    The engine makes the canonical bytes and OpenSSL hashes them: it uses the processor's SHA instructions, the engine
    does not, and that is half the time of `row_hashes`.

    Args:
        recorded: `event.hash` as the first rows say it, no more than `CHUNK`; one that is not what its row gives is None
            among the hashes.

    Raises:
        duckdb.Error: the file, or a part that is needed, cannot be read; what was given before is good.
    """
    head = f"'\\x00\\x01'::BLOB || unhex(replace({quoted('event.id')}, '-', ''))"
    public = f"encode({_canonical('public', columns)})"
    salted = f"{quoted(SALT)} || encode({_canonical('personal', columns)})"
    if COMMITMENT in columns:
        salted = f"CASE WHEN {quoted(COMMITMENT)} IS NULL THEN {salted} END"
        kept = f"CASE WHEN {_empty(columns)} THEN {quoted(COMMITMENT)} END"
        for rows in engine.stream(f"SELECT {head}, {public}, {salted}, {kept} FROM {parquet(path)}"):  # noqa: S608
            yield _compared(rows, [_leaf(*row) for row in rows], recorded)
            recorded = ()
        return
    condition = f"{quoted('event.id')} IS NOT NULL AND {quoted(SALT)} IS NOT NULL"
    ((whole,),) = engine.rows(f"SELECT bool_and({condition}) FROM {parquet(path)}")  # noqa: S608
    for rows in engine.stream(f"SELECT {head}, {public}, {salted} FROM {parquet(path)}"):  # noqa: S608
        found: list[bytes | None]
        if whole:  # nearly always; a call for each row would cost a tenth of everything
            found = [sha256(h + sha256(p).digest() + sha256(s).digest()).digest() for h, p, s in rows]
        else:
            found = [_leaf(h, p, s, None) for h, p, s in rows]
        yield _compared(rows, found, recorded)
        recorded = ()


def _compared(
    rows: Sequence[Any], leaves: list[bytes | None], recorded: Sequence[str | None]
) -> list[bytes | None]:
    return [
        leaf if _event_hash(*row) == said else None
        for row, leaf, said in zip(rows, leaves, recorded, strict=False)
    ] + leaves[len(recorded) :]


def _event_hash(
    head: bytes | None, public: bytes, salted: bytes | None, kept: bytes | None = None
) -> str | None:
    """`event.hash` of a row (docs/formats/entry.md)."""
    personal = kept if salted is None else sha256(salted).digest()
    if head is None or personal is None:
        return None
    entry = head[1:] + sha256(public).digest() + personal
    return urlsafe_b64encode(sha256(entry).digest()).rstrip(b"=").decode()


def _leaf(head: bytes | None, public: bytes, salted: bytes | None, kept: bytes | None) -> bytes | None:
    """Hash of 0x00 and the entry. `head` is those bytes up to the id."""
    personal = kept if salted is None else sha256(salted).digest()
    if head is None or personal is None:
        return None
    return sha256(head + sha256(public).digest() + personal).digest()
