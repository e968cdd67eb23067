"""DuckDB as a library: one warm database in memory, bounded, that reads the segments' directory and nothing else."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from jwtrail.errors import QueryError
from jwtrail.predicate.sql_text import text
from jwtrail.query.running import current

__all__ = ["Engine", "SegmentGone"]

MEMORY_LIMIT = "384MB"
"""What all queries of a store may use together; larger ones fail instead of taking the machine down."""

THREADS = 2
"""Threads of one query: the request path shares the machine."""


class SegmentGone(Exception):  # noqa: N818  # control flow inside this room, not an error that anybody sees
    """A segment was deleted or replaced after the list of segments was read."""


class Engine:
    """Runs SQL over the Parquet files of one directory; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": MEMORY_LIMIT,
                "threads": THREADS,
                "temp_directory": "",  # a query that is too large fails; it does not fill somebody's disk
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        folder = ", ".join(text(str(name)) for name in {directory, directory.resolve()})
        for setting in (
            "parquet_metadata_cache = true",
            f"allowed_directories = [{folder}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")
        self._local = threading.local()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Raises:
            SegmentGone: a file is not there any more.
            QueryError: memory, time or another limit was passed, it was cancelled, or a file is damaged.
        """
        cursor, run = self._cursor(), current()
        try:
            with run.interrupting(cursor.interrupt):
                return cursor.execute(sql, parameters).fetchall()
        except duckdb.InterruptException:
            run.check()
            raise
        except duckdb.IOException as wrong:
            raise SegmentGone(str(wrong)) from wrong
        except duckdb.OutOfMemoryException as wrong:
            raise QueryError(
                f"the query needs more than {MEMORY_LIMIT} of memory", hint="narrow the time or the query"
            ) from wrong
        except duckdb.Error as wrong:
            raise QueryError(f"the store cannot run this: {str(wrong).splitlines()[0]}") from wrong

    def close(self) -> None:
        self._connection.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of this thread: DuckDB's connections are not for sharing, its database is."""
        found: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if found is None:
            found = self._local.cursor = self._connection.cursor()
        return found
