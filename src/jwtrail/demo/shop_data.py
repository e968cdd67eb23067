"""What the sample shop sells, to whom, and where it keeps it."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

__all__ = ["PRODUCTS", "SEED_INVOICES", "open_shop", "password_of"]

PRODUCTS = {number: f"Tea no. {number}" for number in range(1, 41)}
SEED_INVOICES = 1000


def password_of(username: str) -> str:
    """The password of a person of the demo: known to the simulator, unknown to its attackers until they guess it."""
    return "pw-" + sha256(b"demo:" + username.encode()).hexdigest()[:12]


def open_shop(path: Path, users: int) -> None:
    """Create the shop's own database: people and a thousand invoices."""
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("""
            pragma journal_mode = wal;
            create table if not exists people (name text primary key, id text not null, roles text not null);
            create table if not exists invoices (id integer primary key, owner text not null, total integer not null);
            create table if not exists orders (id integer primary key, owner text, product integer, amount integer);
        """)
        people = [(f"user{n:02d}", f"u{1000 + n}", "") for n in range(users)] + [("admin", "u1", "admin")]
        db.executemany("insert or ignore into people values (?, ?, ?)", people)
        rows = [(5000 + n, f"u{1000 + n % users}", 1000 + 37 * n % 9000) for n in range(SEED_INVOICES)]
        db.executemany("insert or ignore into invoices values (?, ?, ?)", rows)
