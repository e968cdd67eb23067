"""Searches kept under a name, for everybody who uses this data directory."""

from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from jwtrail.errors import QueryError
from jwtrail.state.database import Database
from jwtrail.state.table import Table

__all__ = ["MAX_NAME", "MAX_SAVED", "SavedSearch", "SavedSearches"]

MAX_NAME = 80
"""Characters of a name; a list shows it in one line."""

MAX_SAVED = 1_000
"""Searches of one data directory; nobody looks through more."""


class SavedSearch(Struct, frozen=True, kw_only=True):
    """A query and its time, as a person wrote them.

    Args:
        query: KQL.
        start: RFC 3339, or relative to now as in `now-24h`, and then meant so whenever the search runs.
        end: likewise.
        at_us: when it was saved.
    """

    name: str
    query: str
    start: str = "now-24h"
    end: str = "now"
    at_us: int = 0


_SAVED = Table("saved", SavedSearch)


class SavedSearches:
    """The saved searches in `state.db`; threads and processes may use it at once.

    Raises:
        StateError: (any method) see `Database`.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = Database(path)

    def put(self, saved: SavedSearch) -> None:
        """Keep it, in place of one of the same name.

        Raises:
            QueryError: a bad name, or too many searches.
        """
        if not saved.name.strip() or len(saved.name) > MAX_NAME or not saved.name.isprintable():
            raise QueryError(f"a name has 1 to {MAX_NAME} printable characters")
        with self._db.write() as connection:
            others = connection.execute(
                "SELECT count(*) FROM saved WHERE name <> ?", (saved.name,)
            ).fetchone()
            if others[0] >= MAX_SAVED:
                raise QueryError(
                    f"{MAX_SAVED} searches are saved already", hint="remove one: jwtrail saved remove"
                )
            _SAVED.put(connection, saved)

    def get(self, name: str) -> SavedSearch:
        """The search of this name.

        Raises:
            QueryError: there is none.
        """
        with self._db.read() as connection:
            found = _SAVED.one(connection, "name = ?", name)
        if found is None:
            raise QueryError(f"no saved search {name!r}", hint="jwtrail saved list shows all")
        return found

    def all(self) -> list[SavedSearch]:
        """Every one, by name."""
        with self._db.read() as connection:
            return _SAVED.where(connection, "true ORDER BY name")

    def remove(self, name: str) -> bool:
        """Forget it; False when there was none."""
        with self._db.write() as connection:
            return _SAVED.remove(connection, "name = ?", name) > 0

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
