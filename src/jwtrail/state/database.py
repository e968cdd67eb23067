"""One SQLite file shared by threads and processes: how it is opened, locked, forked and reported broken."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jwtrail import clock
from jwtrail.errors import StateError
from jwtrail.state.schema import MIGRATIONS, Migrations, is_newest, migrate

__all__ = ["BUSY_MS", "FILE_MODE", "Database"]

BUSY_MS = 5_000
"""How long a writer waits for another process. Transactions here take milliseconds; five seconds means a hung one."""

FILE_MODE = 0o600
"""The file tells who is signed in from where; SQLite gives its `-wal` and `-shm` the same mode."""

_RETRY_S = 0.005

_HINTS = {
    "locked": "another process holds the file; see who with `fuser`",
    "readonly": "make the data directory writable for this user",
    "unable to open": "make the data directory writable for this user",
    "full": "free some space on the disk",
    "not a database": "move the file away; a new one is made, but revocations and sessions in it are lost",
    "malformed": "move the file away; a new one is made, but revocations and sessions in it are lost",
}


class Database:
    """A connection for readers and one for writers in each process; in WAL mode neither waits for the other.

    Connections never cross a fork: SQLite counts its POSIX locks per process, so a child that inherited one could let
    the parent delete the write-ahead log under it. They are closed before the fork and opened again on both sides.

    Args:
        path: the file; made when missing.
        migrations: its tables.
        read_only: nothing is made or changed: the file must be there, with the newest tables. It may lie where nobody can
            write.
    """

    def __init__(
        self, path: Path | str, migrations: Migrations = MIGRATIONS, *, read_only: bool = False
    ) -> None:
        self.path = str(path)
        self._migrations = migrations
        self._read_only = read_only
        self._read_lock = threading.RLock()
        self._write_lock = threading.RLock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._closed = False
        self._opened = 0
        _open.add(self)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The readers' connection, for one thread at a time.

        Raises:
            StateError: closed, or the file cannot be read.
        """
        with self._read_lock, self._named_errors():
            self._reader = self._reader or self._connect()
            yield self._reader

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the file's write lock from its start; rolled back when the block raises.

        Args:
            durable: on the disk when the block is left. Without it a power cut may undo the last moments, never half
                a transaction, and a crash of the process alone undoes nothing.

        Raises:
            StateError: closed, locked for more than `BUSY_MS`, or the disk failed; nothing was written.
        """
        with self._write_lock, self._named_errors():
            self._writer = connection = self._writer or self._connect()
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def version(self) -> int:
        """A number that differs whenever anybody, this process too, has committed in between.

        `PRAGMA data_version` tells of commits by other connections, and the readers' connection never commits. It
        counts for one connection only, so how often one was opened goes in front.

        Raises:
            StateError: closed, or the file cannot be read.
        """
        with self.read() as connection:
            return self._opened << 32 | int(connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close both connections; using the database afterwards raises `StateError`."""
        with self._write_lock, self._read_lock:
            self._closed = True
            self._disconnect()
        _open.discard(self)

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise StateError("closed", where=self.path)
        self._opened += 1
        uri = Path(self.path).absolute().as_uri()
        if not self._read_only:
            _create(self.path)
            return _prepared(uri, self._prepare)
        try:
            return _prepared(f"{uri}?mode=ro", self._check)
        except sqlite3.OperationalError:
            # In WAL mode readers write too: locks, beside the file. Without a log nobody has it open, and none are needed.
            if Path(f"{self.path}-wal").exists():
                raise
            return _prepared(f"{uri}?mode=ro&immutable=1", self._check)

    def _check(self, connection: sqlite3.Connection) -> None:
        if not is_newest(connection, self.path, self._migrations):
            raise StateError(
                "written by an older jwtrail",
                where=self.path,
                hint="make the data directory writable for this user, once",
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """WAL mode and the newest tables. Processes that open a new file together get "locked" at once, for SQLite does
        not wait while the journal mode changes: so this waits.
        """
        give_up_ns = clock.monotonic_ns() + BUSY_MS * 1_000_000
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                migrate(connection, self.path, self._migrations)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or clock.monotonic_ns() > give_up_ns:
                    raise
                clock.sleep(_RETRY_S)
            else:
                return

    def _disconnect(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            text = str(error)
            hint = next((hint for sign, hint in _HINTS.items() if sign in text), "")
            raise StateError(text, where=self.path, hint=hint) from error

    def hold_for_fork(self) -> None:
        """Wait for running transactions, then close; called in the parent before a fork."""
        self._write_lock.acquire()
        self._read_lock.acquire()
        self._disconnect()

    def release_after_fork(self) -> None:
        """Let both sides open their own connections."""
        self._read_lock.release()
        self._write_lock.release()


def _prepared(uri: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: str) -> None:
    """An empty file with the right mode, so that SQLite never makes one that others can read."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    except FileExistsError:
        return


_open: weakref.WeakSet[Database] = weakref.WeakSet()
_held: list[Database] = []


def _before_fork() -> None:
    _held.extend(_open)
    for database in _held:
        database.hold_for_fork()


def _after_fork() -> None:
    while _held:
        _held.pop().release_after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
