"""One state over two stores: what hosts share in Redis or Valkey, alerts and cursors in this host's file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jwtrail import clock
from jwtrail.errors import ConfigError
from jwtrail.state.erasure import Forgotten
from jwtrail.state.outbox import Delivery
from jwtrail.state.records import (
    AlertRow,
    BlastRadius,
    Family,
    IssuedToken,
    Restraint,
    Revocation,
    RevocationKind,
)
from jwtrail.state.saying import Tells
from jwtrail.state.shared import Follower
from jwtrail.state.store import StateStore

if TYPE_CHECKING:
    from jwtrail.state.redisstore import RedisStore

__all__ = ["SplitStore", "forget_shared", "open_state", "shared_rows_about"]


def open_state(path: Path | str, url: str = "", *, clock: clock.Clock = clock.now_us) -> StateStore:
    """The state of a data directory; shared with other hosts when a URL is given.

    Args:
        url: `redis://…`, or empty.

    Raises:
        StateError: the file or the server cannot be used.
        ConfigError: redis-py is not installed.
    """
    if not url:
        return StateStore(path, clock=clock)
    try:
        from jwtrail.state.redisstore import RedisStore  # noqa: PLC0415  # only those who use it need redis-py
    except ImportError as error:
        raise ConfigError(
            "redis-py is not installed", where="state_url", hint='pip install "jwtrail[redis]"'
        ) from error
    return SplitStore(path, RedisStore(url), clock=clock)


def shared_rows_about(url: str, tells: Tells) -> Iterator[tuple[str, dict[str, Any]]]:
    """As `erasure.rows_about`, of the shared part; nothing without a URL.

    Raises:
        StateError: the server cannot be used.
    """
    if not url:
        return
    from jwtrail.state.redisstore import RedisStore  # noqa: PLC0415  # only those who use it need redis-py

    with closing(RedisStore(url)) as shared:
        yield from shared.rows_about(tells)


def forget_shared(url: str, tells: Tells, now_us: int) -> Forgotten:
    """As `erasure.forget`, of the shared part; nothing without a URL.

    Raises:
        StateError: the server cannot be used.
    """
    if not url:
        return Forgotten()
    from jwtrail.state.redisstore import RedisStore  # noqa: PLC0415  # only those who use it need redis-py

    with closing(RedisStore(url)) as shared:
        return shared.forget(tells, now_us)


class SplitStore(StateStore):
    """A `StateStore` whose shared part lives elsewhere.

    Args:
        path: the file of alerts and cursors.
        shared: everything else.
    """

    def __init__(self, path: Path | str, shared: "RedisStore", *, clock: clock.Clock = clock.now_us) -> None:
        super().__init__(path, clock=clock)
        self._shared = shared

    def revoke(self, *revocations: Revocation) -> None:
        self._shared.revoke(*revocations)

    def unrevoke(self, kind: RevocationKind, value: str) -> bool:
        return self._shared.unrevoke(kind, value)

    def revocations(self, now_us: int) -> list[Revocation]:
        return self._shared.revocations(now_us)

    def revoked(self, pairs: Iterable[tuple[RevocationKind, str]], now_us: int) -> list[Revocation]:
        return self._shared.revoked(pairs, now_us)

    def restrain(self, restraint: Restraint) -> None:
        self._shared.restrain(restraint)

    def lift(self, restraint_id: str) -> bool:
        return self._shared.lift(restraint_id)

    def restraints(self, now_us: int) -> list[Restraint]:
        return self._shared.restraints(now_us)

    def add_family(self, family: Family, issued: Sequence[IssuedToken] = ()) -> None:
        self._shared.add_family(family, issued)

    def family(self, family_id: str) -> Family | None:
        return self._shared.family(family_id)

    def families_of(self, subject: str) -> list[Family]:
        return self._shared.families_of(subject)

    def rotate_family(
        self, family_id: str, expected_jti: str, new_jti: str, source: str, now_us: int
    ) -> Family | None:
        return self._shared.rotate_family(family_id, expected_jti, new_jti, source, now_us)

    def end_family(self, family_id: str) -> bool:
        return self._shared.end_family(family_id)

    def issued(self, *tokens: IssuedToken) -> None:
        self._shared.issued(*tokens)

    def tokens_of(self, kind: RevocationKind, value: str, now_us: int) -> list[IssuedToken]:
        return self._shared.tokens_of(kind, value, now_us)

    def blast_radius(self, kind: RevocationKind, value: str, now_us: int) -> BlastRadius:
        return self._shared.blast_radius(kind, value, now_us)

    def spend(self, spent_id: str, until_us: int) -> bool:
        return self._shared.spend(spent_id, until_us)

    def watch(
        self, on_change: Callable[[], None], on_health: Callable[[str], None] | None = None
    ) -> Follower:
        return self._shared.watch(on_change, on_health)

    def commit(
        self,
        *,
        cursor: tuple[str, bytes] | None = None,
        alerts: Sequence[AlertRow] = (),
        revocations: Sequence[Revocation] = (),
        restraints: Sequence[Restraint] = (),
        deliveries: Sequence[Delivery] = (),
    ) -> list[str]:
        """See `StateStore.commit`. The answers go out first: after a crash in between they are given again, which changes
        nothing, unless a person lifted one in that very moment.
        """
        answered = {alert.id for alert in alerts if self.alert(alert.id) is not None}
        self._shared.revoke(*(row for row in revocations if row.alert not in answered))
        if held := [row for row in restraints if row.alert not in answered]:
            self._shared.restrain(*held)
        return super().commit(cursor=cursor, alerts=alerts, deliveries=deliveries)

    def close(self) -> None:
        self._shared.close()
        super().close()
