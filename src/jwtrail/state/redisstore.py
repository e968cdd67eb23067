"""The shared state in Redis or Valkey, for an API on more than one host.

Every row is one key that ends by itself (`PXAT`); sorted sets by end find them again. A change raises a counter and is
published in the same transaction. Pub/sub may lose a message, so followers look at the counter too.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from jwtrail import clock
from jwtrail.errors import StateError
from jwtrail.state.erasure import PROTECTING, Forgotten
from jwtrail.state.records import BlastRadius, Family, IssuedToken, Restraint, Revocation, RevocationKind
from jwtrail.state.redisfollow import RedisFollower
from jwtrail.state.saying import Tells, row_tells
from jwtrail.state.shared import Follower, merged, radius_of

__all__ = ["TIMEOUT_S", "RedisStore"]

TIMEOUT_S = 1.0
"""How long a command waits for the server: it answers in under a millisecond, or it is away."""

_PREFIX = "{jwtrail}:"  # one hash tag: a cluster keeps all of it in one slot, where transactions work
_CHANNEL = _PREFIX + "changed"
_EPOCH, _VERSION = _PREFIX + "epoch", _PREFIX + "version"
_REVOCATIONS, _RESTRAINTS = "revocation", "restraint"

_INDEXES = {
    "families:": "user.id",
    "issued:subject:": "user.id",
    "issued:family:": "jwt.family",
    "issued:jti:": "jwt.jti",
}
"""Names of indexes that end with somebody's id, and the field it would stand in."""

_TABLES: dict[str, tuple[str, type[msgspec.Struct]]] = {
    _REVOCATIONS: ("revocations", Revocation),
    _RESTRAINTS: ("restraints", Restraint),
    "family": ("families", Family),
    "token": ("issued", IssuedToken),
}
_SCAN = 1000  # keys looked at in one round trip

Row = TypeVar("Row", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode


class RedisStore:
    """See `shared.SharedState`.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as redis-py reads it.

    Raises:
        StateError: the server cannot be reached; its message never holds the URL's password.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.where = f"{parts.scheme}://{parts.hostname or ''}:{parts.port or 6379}{parts.path}"
        self._known: dict[str, list[Any]] = {_REVOCATIONS: [], _RESTRAINTS: []}
        with self._named_errors():
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=Retry(ConstantBackoff(0.01), 1),
            )
            self._epoch = self._begun()

    # revocations

    def revoke(self, *revocations: Revocation) -> None:
        """See `SharedState`; all of them or none."""
        names = [_key(_REVOCATIONS, row.kind, row.value) for row in revocations]

        def change(pipe: Any) -> None:
            kept = [
                merged(_made(old, Revocation), row)
                for old, row in zip(pipe.mget(names), revocations, strict=True)
            ]
            pipe.multi()
            for name, row in zip(names, kept, strict=True):
                _put(pipe, _REVOCATIONS, name, row, row.until_us)
            _announce(pipe)

        if revocations:
            with self._named_errors():
                self._client.transaction(change, *names)

    def unrevoke(self, kind: RevocationKind, value: str) -> bool:
        """See `SharedState`."""
        return self._remove(_REVOCATIONS, _key(_REVOCATIONS, kind, value))

    def revocations(self, now_us: int) -> list[Revocation]:
        """See `SharedState`."""
        rows = self._live(_REVOCATIONS, Revocation, now_us)
        rows.sort(key=lambda row: (row.at_us, row.kind, row.value))
        return self._keep(_REVOCATIONS, rows)

    def revoked(self, pairs: Iterable[tuple[RevocationKind, str]], now_us: int) -> list[Revocation]:
        """See `SharedState`."""
        rows = self._rows([_key(_REVOCATIONS, *pair) for pair in pairs], Revocation)
        return [row for row in rows if row.until_us > now_us]

    # restraints

    def restrain(self, *restraints: Restraint) -> None:
        """See `SharedState`."""
        if not restraints:
            return
        with self._named_errors(), self._client.pipeline() as pipe:
            for row in restraints:
                _put(pipe, _RESTRAINTS, _key(_RESTRAINTS, row.id), row, row.until_us)
            _announce(pipe)
            pipe.execute()

    def lift(self, restraint_id: str) -> bool:
        """See `SharedState`."""
        return self._remove(_RESTRAINTS, _key(_RESTRAINTS, restraint_id))

    def restraints(self, now_us: int) -> list[Restraint]:
        """See `SharedState`."""
        rows = self._live(_RESTRAINTS, Restraint, now_us)
        rows.sort(key=lambda row: (row.at_us, row.id))
        return self._keep(_RESTRAINTS, rows)

    # refresh families

    def add_family(self, family: Family, issued: Sequence[IssuedToken] = ()) -> None:
        """See `SharedState`; in one transaction."""
        with self._named_errors(), self._client.pipeline() as pipe:
            _put(pipe, f"families:{family.subject}", _key("family", family.id), family, family.expires_us)
            for token in issued:
                _put_token(pipe, token)
            pipe.execute()

    def family(self, family_id: str) -> Family | None:
        """See `SharedState`."""
        return next(iter(self._rows([_key("family", family_id)], Family)), None)

    def families_of(self, subject: str) -> list[Family]:
        """See `SharedState`."""
        rows = self._live(f"families:{subject}", Family, 0)
        return sorted(rows, key=lambda row: (-row.rotated_us, row.id))

    def rotate_family(
        self, family_id: str, expected_jti: str, new_jti: str, source: str, now_us: int
    ) -> Family | None:
        """See `SharedState`."""
        name = _key("family", family_id)

        def change(pipe: Any) -> Family | None:
            family = _made(pipe.get(name), Family)
            pipe.multi()
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
            pipe.set(name, _encode(rotated), xx=True, keepttl=True)
            return rotated

        with self._named_errors():
            rotated: Family | None = self._client.transaction(change, name, value_from_callable=True)
            return rotated

    def end_family(self, family_id: str) -> bool:
        """See `SharedState`."""
        name = _key("family", family_id)
        with self._named_errors():
            family = _made(self._client.getdel(name), Family)
            if family is not None:
                self._client.zrem(_PREFIX + f"families:{family.subject}", name)
            return family is not None

    # issued tokens

    def issued(self, *tokens: IssuedToken) -> None:
        """See `SharedState`."""
        with self._named_errors(), self._client.pipeline() as pipe:
            for token in tokens:
                _put_token(pipe, token)
            pipe.execute()

    def tokens_of(self, kind: RevocationKind, value: str, now_us: int) -> list[IssuedToken]:
        """See `SharedState`."""
        rows = self._live(f"issued:{kind}:{value}", IssuedToken, now_us)
        return sorted(rows, key=lambda row: (-row.at_us, row.jti))

    def blast_radius(self, kind: RevocationKind, value: str, now_us: int) -> BlastRadius:
        """See `SharedState`."""
        return radius_of(self.tokens_of(kind, value, now_us))

    # what counts once

    def spend(self, spent_id: str, until_us: int) -> bool:
        """See `SharedState`."""
        with self._named_errors():
            return bool(self._client.set(_key("spent", spent_id), b"", nx=True, pxat=_ms(until_us)))

    # following

    def watch(
        self, on_change: Callable[[], None], on_health: Callable[[str], None] | None = None
    ) -> Follower:
        """See `SharedState`."""
        return RedisFollower(self, on_change, on_health)

    def state(self) -> tuple[bytes, bytes]:
        """Epoch and version: the version changes with every change, the epoch when the server has lost its data."""
        with self._named_errors():
            epoch, version = self._client.mget(_EPOCH, _VERSION)
            return epoch or b"", version or b""

    def restore(self) -> None:
        """Give a server that has lost its data what this process knows: a revocation must not end by a restart."""
        with self._named_errors():
            epoch = self._begun()
        now_us = clock.now_us()
        self.revoke(*(row for row in self._known[_REVOCATIONS] if row.until_us > now_us))
        self.restrain(*(row for row in self._known[_RESTRAINTS] if row.until_us > now_us))
        self._epoch = epoch

    @contextmanager
    def subscribed(self) -> Iterator[Callable[[float], bool]]:
        """A function that waits so many seconds for a change and says whether there was one."""
        with self._named_errors(), self._client.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(_CHANNEL)

            def changed(seconds: float) -> bool:
                with self._named_errors():
                    return subscription.get_message(timeout=seconds) is not None

            yield changed

    # a person

    def rows_about(self, tells: Tells) -> Iterator[tuple[str, dict[str, Any]]]:
        """Rows that tell of somebody, with the name their table has in `state.db`."""
        for _, table, row in self._telling(tells):
            yield table, row

    def forget(self, tells: Tells, now_us: int) -> Forgotten:
        """Remove those rows, but not a revocation or restraint that still counts: a stolen token would live again."""
        rows = kept = until = 0
        for name, table, row in list(self._telling(tells)):
            if table in PROTECTING and row["until_us"] > now_us:
                kept, until = kept + 1, max(until, row["until_us"])
                continue
            with self._named_errors():
                rows += self._client.delete(name)
        for (
            index,
            field,
        ) in _INDEXES.items():  # their names end with whom they are about, which may hold colons
            with self._named_errors():
                for name in self._client.scan_iter(match=f"{_PREFIX}{index}*", count=_SCAN):
                    if tells(field, name.decode().removeprefix(_PREFIX + index)):
                        self._client.delete(name)
        return Forgotten(rows, kept, until)

    def _telling(self, tells: Tells) -> Iterator[tuple[bytes, str, dict[str, Any]]]:
        for kind, (table, struct) in _TABLES.items():
            with self._named_errors():
                names = list(self._client.scan_iter(match=f"{_PREFIX}{kind}:*", count=_SCAN))
            for name in names:
                for row in map(msgspec.structs.asdict, self._rows([name], struct)):
                    if row_tells(table, row, tells):
                        yield name, table, row

    def close(self) -> None:
        """See `SharedState`."""
        self._client.close()

    def _begun(self) -> bytes:
        """The server's epoch; a new one when it has none."""
        self._client.set(_EPOCH, secrets.token_hex(8), nx=True)
        return bytes(self._client.get(_EPOCH) or b"")

    def _keep(self, kind: str, rows: list[Row]) -> list[Row]:
        """Remember them for `restore`, unless the server has lost its data: then these are only what is left."""
        with self._named_errors():
            if self._client.get(_EPOCH) == self._epoch:
                self._known[kind] = rows
        return rows

    def _remove(self, index: str, name: str) -> bool:
        with self._named_errors(), self._client.pipeline() as pipe:
            pipe.delete(name)
            pipe.zrem(_PREFIX + index, name)
            _announce(pipe)
            return bool(pipe.execute()[0])

    def _live(self, index: str, row: type[Row], now_us: int) -> list[Row]:
        """Rows of an index that end after `now_us`, and after the server's own time."""
        with self._named_errors():
            names = self._client.zrange(_PREFIX + index, f"({now_us}", "+inf", byscore=True)
        return self._rows(names, row)

    def _rows(self, names: Sequence[str | bytes], row: type[Row]) -> list[Row]:
        with self._named_errors():
            found = self._client.mget(names) if names else ()
            return [made for raw in found if (made := _made(raw, row)) is not None]

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, ValueError, OSError) as error:
            raise StateError(
                f"{type(error).__name__}: the server does not answer as it should",
                where=self.where,
                hint="is it running, and are address and password right?",
            ) from error


def _key(kind: str, *parts: str) -> str:
    return f"{_PREFIX}{kind}:{':'.join(parts)}"


def _ms(until_us: int) -> int:
    return ceil(until_us / 1000)


def _made(raw: bytes | None, row: type[Row]) -> Row | None:
    return msgspec.json.decode(raw, type=row) if raw is not None else None


def _put(pipe: Any, index: str, name: str, row: msgspec.Struct, until_us: int) -> None:
    """A row that ends by itself, in an index that is swept whenever it grows and ends with its last row."""
    pipe.set(name, _encode(row), pxat=_ms(until_us))
    where = _PREFIX + index
    pipe.zadd(where, {name: until_us})
    pipe.zremrangebyscore(where, "-inf", clock.now_us())
    pipe.pexpireat(where, _ms(until_us), nx=True)
    pipe.pexpireat(where, _ms(until_us), gt=True)


def _put_token(pipe: Any, token: IssuedToken) -> None:
    name = _key("token", token.jti)
    values = {
        "jti": token.jti,
        "family": token.family,
        "subject": token.subject,
        "client": token.client_id,
        "key": token.kid,
    }
    for kind, value in values.items():
        if value:
            _put(pipe, f"issued:{kind}:{value}", name, token, token.exp_us)


def _announce(pipe: Any) -> None:
    pipe.incr(_VERSION)
    pipe.publish(_CHANNEL, b"")
