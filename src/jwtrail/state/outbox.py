"""What is still to be told to the world outside: one row for each alert and channel, kept until it went out or was given up."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec
from msgspec import Struct

from jwtrail.errors import DeliveryNotFound
from jwtrail.state.database import Database
from jwtrail.state.table import Table

__all__ = ["KEPT_US", "MAX_LISTED", "MAX_WAITING", "Delivery", "DeliveryState", "Outbox", "enqueue"]

DeliveryState = Literal["waiting", "sent", "held", "dead"]

MAX_WAITING = 10_000
"""Deliveries of one channel that may wait. A channel that is so far behind is away; what comes then is dead at once."""

MAX_LISTED = 500
"""Deliveries of one list."""

KEPT_US = 30 * 86_400 * 1_000_000
"""How long what went out or was given up can be looked up, µs."""

HELD = "told together with others in "
"""In front of a summary's id, as the error of what was held back for it."""

FULL = f"more than {MAX_WAITING:,} deliveries were waiting"


class Delivery(Struct, frozen=True, kw_only=True):
    """One message for one channel.

    Args:
        id: stable: alert and channel always give the same one, so that a receiver knows a repetition.
        channel: name of the channel in the settings; `hook:NAME` for a hook.
        alert: whose alert; empty for a summary of what was held back.
        doc: what is told, as JSON; the same in each try. Empty for a summary that still collects.
        at_us: when it was decided; `due_us` when it is tried next; `sent_us` when it went out, 0 before.
        tries: so far.
        error: why the last try failed; empty when none did.
    """

    id: str
    channel: str
    alert: str
    doc: str
    at_us: int
    due_us: int
    state: DeliveryState = "waiting"
    tries: int = 0
    sent_us: int = 0
    error: str = ""


_DELIVERIES = Table("deliveries", Delivery)


def enqueue(connection: sqlite3.Connection, deliveries: Iterable[Delivery]) -> None:
    """Add to the outbox within a transaction; what is there already stays as it is."""
    for delivery in deliveries:
        waiting = connection.execute(
            "SELECT count(*) FROM deliveries WHERE channel = ? AND state = 'waiting'", (delivery.channel,)
        ).fetchone()
        row = delivery
        if waiting[0] >= MAX_WAITING:
            row = msgspec.structs.replace(delivery, state="dead", error=FULL)
        _DELIVERIES.add(connection, row)


class Outbox:
    """The deliveries in `state.db`; threads and processes may use it at once.

    Raises:
        StateError: (any method) see `Database`.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = Database(path)

    def add(self, *deliveries: Delivery) -> None:
        """Queue deliveries; again is the same as once."""
        with self._db.write() as connection:
            enqueue(connection, deliveries)

    def due(self, channel: str, now_us: int, limit: int) -> list[Delivery]:
        """Those of a channel whose time has come, the oldest first."""
        with self._db.read() as connection:
            return _DELIVERIES.where(
                connection,
                "channel = ? AND state = 'waiting' AND due_us <= ? ORDER BY at_us, id LIMIT ?",
                channel,
                now_us,
                limit,
            )

    def put(self, delivery: Delivery) -> None:
        """Keep what became of a try."""
        with self._db.write() as connection:
            _DELIVERIES.put(connection, delivery)

    def sent_since(self, channel: str, since_us: int) -> tuple[int, int]:
        """How many alerts went out to a channel: critical ones, and others."""
        with self._db.read() as connection:
            critical, all_of_them = connection.execute(
                "SELECT count(*) FILTER (WHERE json_extract(doc, '$.level') = 'critical'), count(*) FROM deliveries"
                " WHERE channel = ? AND state = 'sent' AND sent_us > ? AND alert <> ''",
                (channel, since_us),
            ).fetchone()
        return critical, all_of_them - critical

    def hold(self, delivery: Delivery, begun: Delivery) -> None:
        """Keep a delivery for the summary of its channel that still collects, or else for `begun`."""
        # What a power cut takes back is held again: it waits as before.
        with self._db.write(durable=False) as connection:
            summary = _DELIVERIES.one(
                connection, "channel = ? AND state = 'waiting' AND doc = ''", delivery.channel
            )
            if summary is None:
                _DELIVERIES.add(connection, summary := begun)
            held = msgspec.structs.replace(delivery, state="held", error=HELD + summary.id)
            _DELIVERIES.put(connection, held)

    def held_for(self, summary_id: str) -> list[tuple[str, str, int]]:
        """What a summary stands for: title of the rule, level, how many alerts; most of them first."""
        with self._db.read() as connection:
            return connection.execute(
                "SELECT json_extract(doc, '$.title') AS title, json_extract(doc, '$.level'), count(*) AS n FROM deliveries"
                " WHERE state = 'held' AND error = ? GROUP BY 1, 2 ORDER BY n DESC, title",
                (HELD + summary_id,),
            ).fetchall()

    def listed(
        self, *, state: DeliveryState | None = None, alert: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """The newest first, at most `MAX_LISTED`."""
        with self._db.read() as connection:
            return _DELIVERIES.where(
                connection,
                "(?1 IS NULL OR state = ?1) AND (?2 IS NULL OR alert = ?2) ORDER BY at_us DESC, id LIMIT ?3",
                state,
                alert,
                max(0, min(limit, MAX_LISTED)),
            )

    def resend(self, delivery_id: str, now_us: int) -> Delivery:
        """Try it again from the start, whatever became of it: a receiver that remembers the id takes it once.

        Raises:
            DeliveryNotFound: there is none of this id.
        """
        with self._db.write() as connection:
            found = _DELIVERIES.one(connection, "id = ?", delivery_id)
            if found is None:
                raise DeliveryNotFound(f"no delivery {delivery_id!r}", hint="jwtrail alerts deliveries")
            again = msgspec.structs.replace(found, state="waiting", tries=0, due_us=now_us, error="")
            _DELIVERIES.put(connection, again)
            return again

    def prune(self, now_us: int) -> int:
        """Forget what was settled `KEPT_US` ago; how many that were."""
        with self._db.write(durable=False) as connection:
            return _DELIVERIES.remove(connection, "state <> 'waiting' AND at_us <= ?", now_us - KEPT_US)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
