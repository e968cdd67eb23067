"""Rows as Structs: the field names of a record are the columns of its table."""

import sqlite3
from typing import Generic, TypeVar

import msgspec

__all__ = ["Table"]

Row = TypeVar("Row", bound=msgspec.Struct)


class Table(Generic[Row]):
    """One table and the Struct of its rows.

    Args:
        name: the table, a literal of this package.
        row: the Struct; its field names are the columns, in any order.
    """

    def __init__(self, name: str, row: type[Row]) -> None:
        self.name = name
        self._row = row
        self._columns = row.__struct_fields__
        columns = ", ".join(f'"{column}"' for column in self._columns)
        marks = ", ".join("?" * len(self._columns))
        # Names are literals of this package; whatever comes from outside is bound, never spliced.
        self._insert = f'INTO "{name}" ({columns}) VALUES ({marks})'
        self._select = f'SELECT {columns} FROM "{name}"'  # noqa: S608

    def add(self, connection: sqlite3.Connection, row: Row) -> bool:
        """Insert; False, and nothing changed, when the key exists."""
        done = connection.execute(f"INSERT OR IGNORE {self._insert}", msgspec.structs.astuple(row))
        return done.rowcount == 1

    def put(self, connection: sqlite3.Connection, row: Row) -> None:
        """Insert, or replace the row of the same key."""
        connection.execute(f"INSERT OR REPLACE {self._insert}", msgspec.structs.astuple(row))

    def where(self, connection: sqlite3.Connection, condition: str, *values: object) -> list[Row]:
        """Rows that fit a condition (a literal with `?` for each of `values`), in the order it asks for."""
        found = connection.execute(f"{self._select} WHERE {condition}", values)
        return [self._made(row) for row in found]

    def one(self, connection: sqlite3.Connection, condition: str, *values: object) -> Row | None:
        """The first row that fits, or None."""
        return next(iter(self.where(connection, f"{condition} LIMIT 1", *values)), None)

    def remove(self, connection: sqlite3.Connection, condition: str, *values: object) -> int:
        """Delete what fits; how many rows that were."""
        return connection.execute(f'DELETE FROM "{self.name}" WHERE {condition}', values).rowcount  # noqa: S608

    def _made(self, values: tuple[object, ...]) -> Row:
        # strict=False, because SQLite keeps a bool as 0 or 1.
        return msgspec.convert(dict(zip(self._columns, values, strict=True)), self._row, strict=False)
