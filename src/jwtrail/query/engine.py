"""DuckDB as a library: one warm database in memory, bounded, that reads its directories and nothing else."""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
from msgspec import Struct

from jwtrail.errors import QueryError
from jwtrail.predicate.sql_text import quoted, text
from jwtrail.query.parts import Part, PartDamaged
from jwtrail.query.running import current

__all__ = ["COUNTS", "PAGES", "REPLAYS", "Engine", "Means", "SegmentGone"]


class Means(Struct, frozen=True):
    """What one engine may use.

    Args:
        memory: of all its queries together; larger ones fail instead of taking the machine down.
        threads: of one query; the request path shares the machine.
    """

    memory: str
    threads: int


PAGES = Means("192MB", 1)
"""For pages of events: they read little, and to share that among threads takes longer than to read it."""

COUNTS = Means("384MB", 1)
"""For counts of everything: DuckDB groups with one thread anyway, and a second one costs a fifth more of the CPU."""

REPLAYS = Means("384MB", 2)
"""For all that the record holds, which has to be unpacked."""


class SegmentGone(Exception):  # noqa: N818  # control flow inside this room, not an error that anybody sees
    """A segment was deleted or replaced after the list of segments was read."""


class Engine:
    """Runs SQL over the files of some directories; safe to use from several threads."""

    def __init__(self, means: Means, *directories: Path) -> None:
        self.directories = directories
        self._means = means
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": means.memory,
                "threads": means.threads,
                "temp_directory": "",  # a query that is too large fails; it does not fill somebody's disk
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        folder = ", ".join(
            text(str(name)) for name in {each for one in directories for each in (one, one.resolve())}
        )
        for setting in (
            "parquet_metadata_cache = true",
            f"allowed_directories = [{folder}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")
        self._local = threading.local()
        self._attached: dict[str, Path] = {}
        self._lock = threading.Lock()

    def attach(self, parts: Iterable[Part]) -> None:
        """Make parts of the index known; let go of those whose file is gone.

        Raises:
            SegmentGone: a part's file is not there any more.
            PartDamaged: it cannot be opened.
        """
        with self._lock:
            for part in parts:
                if part.name not in self._attached:
                    self._let_go()
                    self._attach(part)

    def _attach(self, part: Part) -> None:
        try:
            self._connection.execute(f"ATTACH {text(str(part.path))} AS {quoted(part.name)} (READ_ONLY)")
        except duckdb.Error as wrong:
            if part.path.exists():
                raise PartDamaged(str(wrong)) from wrong
            raise SegmentGone(str(wrong)) from wrong
        self._attached[part.name] = part.path

    def _let_go(self) -> None:
        for name in [name for name, path in self._attached.items() if not path.exists()]:
            del self._attached[name]
            self._connection.execute(f"DETACH {quoted(name)}")

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Raises:
            SegmentGone: a file is not there any more, or is damaged.
            QueryError: memory, time or another limit was passed, or it was cancelled.
            KeyboardInterrupt: Ctrl+C, in the main thread.
        """
        cursor, run = self._cursor(), current()
        try:
            with run.interrupting(cursor.interrupt):
                return cursor.execute(sql, parameters).fetchall()
        except duckdb.InterruptException:
            run.check()
            raise
        except (duckdb.IOException, duckdb.InternalException, duckdb.SerializationException) as wrong:
            raise SegmentGone(str(wrong)) from wrong
        except duckdb.OutOfMemoryException as wrong:
            raise QueryError(
                f"the query needs more than {self._means.memory} of memory",
                hint="narrow the time or the query",
            ) from wrong
        except RuntimeError as wrong:
            # What DuckDB makes of Ctrl+C while it runs a statement.
            if str(wrong) == "Query interrupted":
                raise KeyboardInterrupt from wrong
            raise
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
