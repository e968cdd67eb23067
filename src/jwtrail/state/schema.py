"""The tables of `state.db`, as a list of migrations that only ever grows."""

import sqlite3

from jwtrail.errors import StateError

__all__ = ["MIGRATIONS", "SPENT_MIGRATIONS", "Migrations", "migrate"]

Migrations = tuple[tuple[str, ...], ...]

MIGRATIONS: Migrations = (
    (
        """CREATE TABLE revocations (
            kind TEXT NOT NULL, value TEXT NOT NULL, at_us INTEGER NOT NULL, until_us INTEGER NOT NULL,
            cause TEXT NOT NULL, "by" TEXT NOT NULL, alert TEXT NOT NULL, PRIMARY KEY (kind, value)
        ) WITHOUT ROWID""",
        """CREATE TABLE restraints (
            id TEXT PRIMARY KEY, field TEXT NOT NULL, value TEXT NOT NULL, at_us INTEGER NOT NULL,
            until_us INTEGER NOT NULL, per_minute INTEGER NOT NULL, route TEXT NOT NULL,
            unauthenticated_only INTEGER NOT NULL, alert TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE families (
            id TEXT PRIMARY KEY, subject TEXT NOT NULL, jti TEXT NOT NULL, generation INTEGER NOT NULL,
            created_us INTEGER NOT NULL, rotated_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,
            previous TEXT NOT NULL, source TEXT NOT NULL, client_id TEXT NOT NULL, scope TEXT NOT NULL,
            claims TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX families_subject ON families (subject)",
        """CREATE TABLE issued (
            jti TEXT PRIMARY KEY, subject TEXT NOT NULL, kind TEXT NOT NULL, at_us INTEGER NOT NULL,
            exp_us INTEGER NOT NULL, family TEXT NOT NULL, client_id TEXT NOT NULL, kid TEXT NOT NULL,
            source TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX issued_subject ON issued (subject)",
        "CREATE INDEX issued_family ON issued (family)",
        "CREATE INDEX issued_exp ON issued (exp_us)",
        """CREATE TABLE alerts (
            id TEXT PRIMARY KEY, rule TEXT NOT NULL, severity TEXT NOT NULL, "group" TEXT NOT NULL,
            at_us INTEGER NOT NULL, doc TEXT NOT NULL, status TEXT NOT NULL, assignee TEXT NOT NULL,
            reason TEXT NOT NULL, note TEXT NOT NULL, changed_us INTEGER NOT NULL
        )""",
        "CREATE INDEX alerts_at ON alerts (at_us)",
        "CREATE TABLE cursors (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    ),
    (
        """CREATE TABLE saved (
            name TEXT PRIMARY KEY, query TEXT NOT NULL, start TEXT NOT NULL, "end" TEXT NOT NULL,
            at_us INTEGER NOT NULL
        ) WITHOUT ROWID""",
    ),
    ("ALTER TABLE families ADD COLUMN device TEXT NOT NULL DEFAULT ''",),
    (
        """CREATE TABLE deliveries (
            id TEXT PRIMARY KEY, channel TEXT NOT NULL, alert TEXT NOT NULL, doc TEXT NOT NULL,
            at_us INTEGER NOT NULL, due_us INTEGER NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
            sent_us INTEGER NOT NULL, error TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX deliveries_due ON deliveries (channel, state, due_us)",
    ),
)
"""Entry n brings a file from `user_version` n to n + 1. A published entry never changes."""

SPENT_MIGRATIONS: Migrations = (
    (
        "CREATE TABLE spent (id TEXT PRIMARY KEY, until_us INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX spent_until ON spent (until_us)",
    ),
)
"""Of `spent.db`, which is written at every use of a proof: beside `state.db`, so that its watchers sleep on."""


def is_newest(connection: sqlite3.Connection, path: str, migrations: Migrations = MIGRATIONS) -> bool:
    """Whether the file has the newest tables; changes nothing.

    Raises:
        StateError: the file was written by a newer version.
    """
    return _version(connection, path, len(migrations)) == len(migrations)


def migrate(connection: sqlite3.Connection, path: str, migrations: Migrations = MIGRATIONS) -> None:
    """Bring the file to the newest version; safe when several processes open it at once.

    Raises:
        StateError: the file was written by a newer version.
    """
    if _version(connection, path, len(migrations)) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again under the lock: another process may have done the work meanwhile.
        for number in range(_version(connection, path, len(migrations)), len(migrations)):
            for statement in migrations[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: str, newest: int) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > newest:
        raise StateError(
            f"written by a newer jwtrail (format {version}, this one knows {newest})",
            where=path,
            hint="upgrade jwtrail, or restore the copy from before the upgrade",
        )
    return version
