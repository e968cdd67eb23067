"""Taking a person out of `state.db`: whatever tables it has, each by the columns that may tell of somebody."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import StateError
from jwtrail.state.database import BUSY_MS, Database
from jwtrail.state.saying import Tells, row_tells
from jwtrail.state.schema import MIGRATIONS, Migrations

__all__ = ["Forgotten", "forget", "rows_about"]

PROTECTING = ("revocations", "restraints")
"""Tables whose rows keep somebody out: one that still counts is never removed, or a stolen token would live again."""

_RETRY_S = 0.05


class Forgotten(Struct, frozen=True):
    """What became of the rows about a person.

    Args:
        rows: removed.
        kept: revocations and restraints that still count.
        kept_until_us: when the last of them ends; 0 when none was kept.
    """

    rows: int = 0
    kept: int = 0
    kept_until_us: int = 0


def rows_about(path: Path, tells: Tells) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of every table that tell of the person, with the table's name. No file: no rows.

    Raises:
        StateError: the file cannot be read.
    """
    if not path.exists():
        return
    database = Database(path)
    try:
        with database.read() as connection:
            for table in _tables(connection):
                for row in _rows(connection, table):
                    if row_tells(table, row, tells):
                        yield table, row
    finally:
        database.close()


def forget(path: Path, tells: Tells, now_us: int, migrations: Migrations = MIGRATIONS) -> Forgotten:
    """Remove the rows that tell of the person, from the file's free pages and its log too.

    Args:
        path: an SQLite file of this package; nothing happens when it is missing.
        tells: whether a text is about the person, by the field it stands for.
        now_us: decides which revocations still count.

    Raises:
        StateError: the file cannot be written, or somebody keeps reading an old state of it.
    """
    if not path.exists():
        return Forgotten()
    database = Database(path, migrations)
    try:
        with database.write() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            done = _remove(connection, tells, now_us)
        _compact(path)  # also of rows that were removed before: they stand in free pages until then
    finally:
        database.close()
    return done


def _remove(connection: sqlite3.Connection, tells: Tells, now_us: int) -> Forgotten:
    rows = kept = until = 0
    for table in _tables(connection):
        keys = _keys(connection, table)
        for row in list(_rows(connection, table)):
            if not row_tells(table, row, tells):
                continue
            if table in PROTECTING and row["until_us"] > now_us:
                kept, until = kept + 1, max(until, row["until_us"])
                continue
            where = " AND ".join(f'"{key}" IS ?' for key in keys)
            connection.execute(f'DELETE FROM "{table}" WHERE {where}', [row[key] for key in keys])  # noqa: S608  # names are the schema's
            rows += 1
    return Forgotten(rows, kept, until)


def _compact(path: Path) -> None:
    """Write the file anew and empty its log: a deleted row stands in both until then."""
    give_up_ns = clock.monotonic_ns() + BUSY_MS * 1_000_000
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
    try:
        connection.execute("VACUUM")
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if clock.monotonic_ns() > give_up_ns:
                raise StateError("somebody keeps reading an old state", where=str(path), hint="try again")
            clock.sleep(_RETRY_S)
    except sqlite3.Error as error:
        raise StateError(str(error), where=str(path), hint="try again") from error
    finally:
        connection.close()


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return [name for (name,) in found]


def _keys(connection: sqlite3.Connection, table: str) -> list[str]:
    found = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
    return [row[1] for row in found if row[5]] or [row[1] for row in found]


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    found = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608
    names = [column[0] for column in found.description]
    for values in found:
        yield dict(zip(names, values, strict=True))
