"""`state.db`: what all processes of a host must agree on. The rows are in `records`, the promises are here."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import msgspec

from jwtrail import clock
from jwtrail.errors import AlertNotFound
from jwtrail.state.database import Database
from jwtrail.state.outbox import Delivery, enqueue
from jwtrail.state.records import (
    AlertRow,
    AlertStatus,
    BlastRadius,
    Family,
    IssuedToken,
    Restraint,
    Revocation,
    RevocationKind,
)
from jwtrail.state.shared import Follower, merged, radius_of
from jwtrail.state.spent import SpentStore
from jwtrail.state.table import Table
from jwtrail.state.watch import Watch

__all__ = ["MAX_ALERTS_PAGE", "StateStore"]

MAX_ALERTS_PAGE = 500
"""Alerts of one page; a person reads fifty."""

_REVOCATIONS = Table("revocations", Revocation)
_RESTRAINTS = Table("restraints", Restraint)
_FAMILIES = Table("families", Family)
_ISSUED = Table("issued", IssuedToken)
_ALERTS = Table("alerts", AlertRow)

_ISSUED_COLUMN: dict[RevocationKind, str] = {
    "jti": "jti",
    "family": "family",
    "subject": "subject",
    "client": "client_id",
    "key": "kid",
}


class StateStore:
    """The shared state of one data directory. Threads and processes may use it at once; forks are safe.

    Whatever a method that changes something returned is on the disk, except `issued`, which serves only for numbers.

    Args:
        path: the file; it and its directory are made when missing.
        read_only: nothing is made or changed, and nothing can be; see `Database`.
        now_us: source of the time, used only where a row records that it was changed.

    Raises:
        StateError: (any method) the file is closed, locked, damaged, from a newer version, or the disk failed.
    """

    def __init__(
        self, path: Path | str, *, clock: clock.Clock = clock.now_us, read_only: bool = False
    ) -> None:
        self.path = Path(path)
        self._now_us = clock
        self._db = Database(path, read_only=read_only)
        self._spent = SpentStore(self.path.with_name("spent.db"), clock=clock)
        self.version()  # open now: a directory that cannot be written is refused at start, not at the first sign-in

    # revocations

    def revoke(self, *revocations: Revocation) -> None:
        """Revoke; again is the same as once, and never shortens what is there (see `merged`)."""
        self.commit(revocations=revocations)

    def unrevoke(self, kind: RevocationKind, value: str) -> bool:
        """Take a revocation back; False when there was none."""
        with self._db.write() as connection:
            return _REVOCATIONS.remove(connection, "kind = ? AND value = ?", kind, value) > 0

    def revocations(self, now_us: int) -> list[Revocation]:
        """Those that have not ended, oldest first."""
        with self._db.read() as connection:
            return _REVOCATIONS.where(connection, "until_us > ? ORDER BY at_us, kind, value", now_us)

    def revoked(self, pairs: Iterable[tuple[RevocationKind, str]], now_us: int) -> list[Revocation]:
        """The live revocations of these values: what the file itself says, for moments when a view may lag behind."""
        with self._db.read() as connection:
            found = (
                _REVOCATIONS.one(connection, "kind = ? AND value = ? AND until_us > ?", *pair, now_us)
                for pair in pairs
            )
            return [row for row in found if row is not None]

    # restraints

    def restrain(self, restraint: Restraint) -> None:
        """Throttle or block; the same id replaces."""
        self.commit(restraints=(restraint,))

    def lift(self, restraint_id: str) -> bool:
        """End a restraint now; False when there was none."""
        with self._db.write() as connection:
            return _RESTRAINTS.remove(connection, "id = ?", restraint_id) > 0

    def restraints(self, now_us: int) -> list[Restraint]:
        """Those that have not ended, oldest first."""
        with self._db.read() as connection:
            return _RESTRAINTS.where(connection, "until_us > ? ORDER BY at_us, id", now_us)

    # refresh families

    def add_family(self, family: Family, issued: Sequence[IssuedToken] = ()) -> None:
        """Record a sign-in and the tokens it came with, in one transaction."""
        with self._db.write() as connection:
            _FAMILIES.put(connection, family)
            for token in issued:
                _ISSUED.put(connection, token)

    def family(self, family_id: str) -> Family | None:
        """A live or idle family; None when it ended or never was."""
        with self._db.read() as connection:
            return _FAMILIES.one(connection, "id = ?", family_id)

    def families_of(self, subject: str) -> list[Family]:
        """The sign-ins of a user, the last used first."""
        with self._db.read() as connection:
            return _FAMILIES.where(connection, "subject = ? ORDER BY rotated_us DESC, id", subject)

    def rotate_family(
        self, family_id: str, expected_jti: str, new_jti: str, source: str, now_us: int
    ) -> Family | None:
        """Exchange the family's refresh token: the new row, or None when `expected_jti` is not the valid one.

        Compare and swap across threads and processes: of any number of callers with the same `expected_jti`, exactly
        one gets a row.
        """
        with self._db.write() as connection:
            family = _FAMILIES.one(connection, "id = ?", family_id)
            if family is None or family.jti != expected_jti:
                return None
            rotated = msgspec.structs.replace(
                family,
                jti=new_jti,
                previous=expected_jti,
                generation=family.generation + 1,
                rotated_us=now_us,
                source=source,
            )
            _FAMILIES.put(connection, rotated)
            return rotated

    def end_family(self, family_id: str) -> bool:
        """Forget a family, so that nothing can be exchanged any more; False when there was none.

        Access tokens of the family live on until they expire; revoke the family to end them too.
        """
        with self._db.write() as connection:
            return _FAMILIES.remove(connection, "id = ?", family_id) > 0

    # what counts once

    def spend(self, spent_id: str, until_us: int) -> bool:
        """See `spent.SpentStore.spend`."""
        return self._spent.spend(spent_id, until_us)

    # issued tokens

    def issued(self, *tokens: IssuedToken) -> None:
        """Remember tokens for `blast_radius`. Not waited for on the disk: a power cut costs numbers, not safety."""
        with self._db.write(durable=False) as connection:
            for token in tokens:
                _ISSUED.put(connection, token)

    def tokens_of(self, kind: RevocationKind, value: str, now_us: int) -> list[IssuedToken]:
        """Live tokens that a revocation of this kind and value would hit, the newest first."""
        with self._db.read() as connection:
            return _ISSUED.where(
                connection,
                f"{_ISSUED_COLUMN[kind]} = ? AND exp_us > ? ORDER BY at_us DESC, jti",
                value,
                now_us,
            )

    def blast_radius(self, kind: RevocationKind, value: str, now_us: int) -> BlastRadius:
        """How much a revocation would hit, to be shown before it is confirmed."""
        return radius_of(self.tokens_of(kind, value, now_us))

    # alerts

    def add_alert(self, alert: AlertRow) -> bool:
        """Keep an alert; False, and its triage untouched, when the id exists."""
        return bool(self.commit(alerts=(alert,)))

    def alert(self, alert_id: str) -> AlertRow | None:
        """One alert, or None."""
        with self._db.read() as connection:
            return _ALERTS.one(connection, "id = ?", alert_id)

    def alerts(
        self,
        status: AlertStatus | None = None,
        rule: str | None = None,
        limit: int = 50,
        before_us: int | None = None,
    ) -> list[AlertRow]:
        """A page of alerts, the newest first.

        Args:
            limit: at most `MAX_ALERTS_PAGE`.
            before_us: only alerts older than this; the `at_us` of the last row gives the next page.
        """
        with self._db.read() as connection:
            return _ALERTS.where(
                connection,
                "(?1 IS NULL OR status = ?1) AND (?2 IS NULL OR rule = ?2) AND (?3 IS NULL OR at_us < ?3)"
                " ORDER BY at_us DESC, id LIMIT ?4",
                status,
                rule,
                before_us,
                max(0, min(limit, MAX_ALERTS_PAGE)),
            )

    def alerts_between(self, from_us: int, to_us: int, limit: int) -> list[AlertRow]:
        """Alerts of a span of event time, `to_us` excluded, the oldest first."""
        with self._db.read() as connection:
            return _ALERTS.where(
                connection, "at_us >= ? AND at_us < ? ORDER BY at_us, id LIMIT ?", from_us, to_us, limit
            )

    def alert_counts(self) -> dict[AlertStatus, int]:
        """How many alerts have each status; a status without any is left out."""
        with self._db.read() as connection:
            found = connection.execute("SELECT status, count(*) FROM alerts GROUP BY status").fetchall()
        return dict(cast("list[tuple[AlertStatus, int]]", found))

    def set_alert(
        self,
        alert_id: str,
        *,
        status: AlertStatus | None = None,
        reason: str | None = None,
        assignee: str | None = None,
        note: str | None = None,
    ) -> AlertRow:
        """Change the triage; None leaves a field as it is.

        Raises:
            AlertNotFound: no alert has this id.
        """
        given = {"status": status, "reason": reason, "assignee": assignee, "note": note}
        changes = {name: value for name, value in given.items() if value is not None}
        with self._db.write() as connection:
            alert = _ALERTS.one(connection, "id = ?", alert_id)
            if alert is None:
                raise AlertNotFound(f"no alert {alert_id}")
            changed = msgspec.structs.replace(alert, **changes, changed_us=self._now_us())
            _ALERTS.put(connection, changed)
            return changed

    # followers and upkeep

    def get_cursor(self, name: str) -> bytes | None:
        """What a follower last committed under its name."""
        with self._db.read() as connection:
            row = connection.execute("SELECT value FROM cursors WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def commit(
        self,
        *,
        cursor: tuple[str, bytes] | None = None,
        alerts: Sequence[AlertRow] = (),
        revocations: Sequence[Revocation] = (),
        restraints: Sequence[Restraint] = (),
        deliveries: Sequence[Delivery] = (),
    ) -> list[str]:
        """A follower's progress, its alerts and the answers to them: all of it, or after a crash nothing.

        An answer whose `alert` was already there is not taken again, so that a replay cannot undo a person's lifting it.

        Args:
            cursor: name and value of the follower's position or snapshot.
            deliveries: what is to be told about these alerts; only of those that are new.

        Returns:
            Ids of the alerts that are new.
        """
        with self._db.write() as connection:
            new = [alert.id for alert in alerts if _ALERTS.add(connection, alert)]
            answered = {alert.id for alert in alerts}.difference(new)
            for revocation in revocations:
                if revocation.alert not in answered:
                    old = _REVOCATIONS.one(
                        connection, "kind = ? AND value = ?", revocation.kind, revocation.value
                    )
                    _REVOCATIONS.put(connection, merged(old, revocation))
            for restraint in restraints:
                if restraint.alert not in answered:
                    _RESTRAINTS.put(connection, restraint)
            enqueue(connection, (one for one in deliveries if one.alert not in answered))
            if cursor is not None:
                connection.execute("INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)", cursor)
        return new

    def watch(
        self, on_change: Callable[[], None], on_health: Callable[[str], None] | None = None
    ) -> Follower:
        """Follow changes of any process; see `Watch`."""
        return Watch(self.path, on_change, on_health)

    def version(self) -> int:
        """A number that differs whenever anybody, this process too, has changed something in between."""
        return self._db.version()

    def prune(self, now_us: int) -> int:
        """Forget what has ended (never alerts); how many rows that were."""
        with self._db.write(durable=False) as connection:
            return (
                _REVOCATIONS.remove(connection, "until_us <= ?", now_us)
                + _RESTRAINTS.remove(connection, "until_us <= ?", now_us)
                + _FAMILIES.remove(connection, "expires_us <= ?", now_us)
                + _ISSUED.remove(connection, "exp_us <= ?", now_us)
            )

    def close(self) -> None:
        """Close the file; any use afterwards raises `StateError`."""
        self._db.close()
        self._spent.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
