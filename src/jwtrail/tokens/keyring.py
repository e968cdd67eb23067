"""The issuer's own keys: made, rotated and retired without logging anybody out.

A key goes next → active → retiring → retired. `next` is published before it signs, so that everybody who fetches the keys
has it in time; `retiring` signs no more but verifies until every token it signed has expired.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from jwtrail import clock
from jwtrail.errors import KeyRefusedError
from jwtrail.tokens import base64url, keyfile
from jwtrail.tokens.keyentry import (
    KeyEntry,
    KeyState,
    Ring,
    check_published,
    first,
    moved,
    print_of,
    public_jwk,
    verifies,
)
from jwtrail.tokens.keys import Key, KeySet, key_of, load_secret
from jwtrail.tokens.settings import ALGORITHMS_ISSUED

__all__ = ["MAX_KEYS", "RELOAD_NS", "Adopted", "KeyRing", "SigningKey"]

MAX_KEYS = 64
"""Keys of one ring that are not retired; four are usual."""

RELOAD_NS = 50_000_000
"""How often at most the directory is looked at, nanoseconds."""

_INDEX = "ring.json"
_KID_BYTES = 9
_KID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
"""What names a file as well: no slash, no dot in front."""


class Adopted(NamedTuple):
    """A key that was taken over.

    Args:
        is_new: it was not in the ring before.
    """

    entry: KeyEntry
    is_new: bool


class SigningKey(msgspec.Struct, frozen=True):
    """The key that signs now."""

    kid: str
    alg: str
    private: keyfile.PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r}, {self.alg!r})"  # never the key


class _Loaded(msgspec.Struct, frozen=True):
    """One reading of the directory."""

    stamp: tuple[int, int, int]
    ring: Ring
    keys: KeySet
    next_end_us: int


class KeyRing:
    """Keys in one directory (mode 0700, files 0600), shared by processes and read again when it changes.

    Args:
        directory: made when missing.
        algorithm: of the first key, one of `ALGORITHMS_ISSUED`; later keys follow the active one.
        passphrase: encrypts the private keys at rest.
        clock: source of the time, for the ends of retiring keys and the dates in the index.

    Raises:
        KeyRefusedError: a key cannot be read, is weak, or is of another family than the rest.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        algorithm: str = ALGORITHMS_ISSUED[0],
        passphrase: bytes | None = None,
        clock: clock.Clock = clock.now_us,
    ) -> None:
        self._directory = Path(directory)
        self._algorithm = algorithm
        self._passphrase = passphrase
        self._now_us = clock
        self._private: dict[str, keyfile.PrivateKey] = {}
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._loaded = self._load()
        self._looked_ns = 0

    def current(self) -> KeySet:
        """The keys that verify now: next, active, and retiring until their end. Never raises: a directory that cannot
        be read leaves the keys as they were.
        """
        now_ns = clock.monotonic_ns()
        if now_ns - self._looked_ns > RELOAD_NS:
            self._look(now_ns)
        return self._loaded.keys

    def signing_key(self) -> SigningKey:
        """The active key; the very first call in an empty directory makes it."""
        active = first(self._fresh().ring, "active") or self.ensure()
        return SigningKey(active.kid, active.alg, self._private_key(active.kid))

    def entries(self) -> tuple[KeyEntry, ...]:
        """Every key there ever was, the oldest first."""
        return self._fresh().ring.keys

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys as a JWK Set (RFC 7517 section 5). Secrets are never in it."""
        keys = [public_jwk(key) for key in self.current().keys if key.kty != "oct"]
        return {"keys": keys}

    def ensure(self) -> KeyEntry:
        """The active key, made when there is none. Processes that start together make one between them."""
        with self._changing() as ring:
            active = first(ring, "active")
            if active is None:
                active = self._made(self._algorithm, "active")
                self._store((*ring.keys, active), active)
            return active

    def create(self, alg: str | None = None) -> KeyEntry:
        """A new key: active when there is none yet, otherwise next.

        Args:
            alg: one of `ALGORITHMS_ISSUED`; the active key's, or the ring's, when absent.

        Raises:
            KeyRefusedError: too many keys, or a secret in a ring of key pairs or the other way round.
        """
        with self._changing() as ring:
            active = first(ring, "active")
            alg = alg or (active.alg if active else self._algorithm)
            made = self._made(alg, "next" if active else "active")
            self._store((*ring.keys, made), made)
            return made

    def adopt(self, pem: bytes, passphrase: bytes | None = None, *, kid: str = "") -> Adopted:
        """Take over a private key made elsewhere: active when there is none yet, otherwise next. A key that is in the ring
        already stays as it is.

        Args:
            pem: PKCS#8.
            passphrase: of the PEM text, when it is encrypted; the ring encrypts with its own.
            kid: the id that tokens signed by it name; one is made up when absent.

        Raises:
            KeyRefusedError: not a key, an unfit or published one, of a type that is not issued with, of another family, known
                here by another id, or retired.
        """
        private = keyfile.parse(pem, passphrase, where="the imported key")
        alg = keyfile.algorithm_of(private)
        if kid and not _KID.fullmatch(kid):
            raise KeyRefusedError(
                "kid_invalid", "no id for a key", where="kid", hint="letters, digits, - _ and ., at most 128"
            )
        with self._changing() as ring:
            known = self._known(ring, print_of(key_of(private.public_key(), alg)))
            if known is not None:
                return Adopted(self._as_it_is(known, kid), is_new=False)
            if any(entry.kid == kid for entry in ring.keys):
                raise KeyRefusedError(
                    "key_set_ambiguous", f"another key is called {kid}", where="kid", hint="choose another id"
                )
            made = self._made(alg, "next" if first(ring, "active") else "active", private, kid)
            self._store((*ring.keys, made), made)
            return Adopted(made, is_new=True)

    def rotate(self, overlap_s: int, *, at_once: bool = False) -> KeyEntry:
        """The next key signs from now on; the active one retires after the overlap, and a new next one is made.

        Args:
            overlap_s: seconds the old key still verifies: the longest life of a token it signed, and the leeway.
            at_once: do not ask whether the next key was published for `PUBLISHED_S`. Whoever keeps the published keys refuses
                new tokens until then.

        Returns:
            The entry that is active now.

        Raises:
            KeyRefusedError: there is no next key, or others may not know it yet.
        """
        with self._changing() as ring:
            now = self._now_us()
            old, coming = first(ring, "active"), first(ring, "next")
            if old is not None and not at_once:
                check_published(old, coming, now)
            alg = old.alg if old else self._algorithm
            made = [self._made(alg, "next")]
            if coming is None:
                coming = self._made(alg, "next")
                made.append(coming)
            kept = [entry for entry in ring.keys if entry not in (old, coming)]
            if old is not None:
                kept.append(moved(old, "retiring", now, now + overlap_s * 1_000_000))
            active = moved(coming, "active", now)
            self._store((*kept, active, made[0]), *made)
            return active

    def retire(self, kid: str) -> KeyEntry:
        """Stop trusting a key at once: what it signed gets `kid_unknown`. Its private part is deleted.

        Raises:
            KeyRefusedError: no such key, or it is the active one.
        """
        with self._changing() as ring:
            retired = moved(self._retirable(ring, kid), "retired", self._now_us())
            self._store(tuple(retired if entry.kid == kid else entry for entry in ring.keys))
            self._path(kid).unlink(missing_ok=True)
            return retired

    def retirable(self, kid: str) -> KeyEntry:
        """The entry of a key that `retire` would take; it raises the same."""
        return self._retirable(self._fresh().ring, kid)

    # reading

    def _retirable(self, ring: Ring, kid: str) -> KeyEntry:
        entry = next((entry for entry in ring.keys if entry.kid == kid), None)
        if entry is None or entry.state == "active":
            raise KeyRefusedError(
                "key_invalid",
                f"no key {kid}" if entry is None else f"{kid} signs at the moment",
                where=str(self._directory),
                hint="see `jwtrail keys list`" if entry is None else "rotate first",
            )
        return entry

    def _fresh(self) -> _Loaded:
        self.current()
        return self._loaded

    def _look(self, now_ns: int) -> None:
        self._looked_ns = now_ns
        loaded = self._loaded
        try:
            if loaded.stamp != self._stamp() or self._now_us() >= loaded.next_end_us:
                self._loaded = self._load()
        except (KeyRefusedError, OSError):
            return  # the keys as they were: an outage of the disk must not sign everybody out

    def _load(self) -> _Loaded:
        stamp = self._stamp()
        ring = self._read()
        now = self._now_us()
        live = [entry for entry in ring.keys if verifies(entry, now)]
        ends = [entry.until_us for entry in live if entry.state == "retiring"]
        keys = KeySet(*(self._key(entry) for entry in live))
        if self._unchanged(keys):
            keys = self._loaded.keys  # the same object, so that nobody forgets what was verified with it
        return _Loaded(stamp, ring, keys, min(ends, default=2**63))

    def _unchanged(self, keys: KeySet) -> bool:
        return hasattr(self, "_loaded") and set(keys.by_kid) == set(self._loaded.keys.by_kid)

    def _read(self) -> Ring:
        try:
            return msgspec.json.decode((self._directory / _INDEX).read_bytes(), type=Ring)
        except FileNotFoundError:
            return Ring()
        except msgspec.DecodeError as error:
            raise KeyRefusedError(
                "key_invalid", str(error), where=str(self._directory / _INDEX), hint="restore the file"
            ) from error

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = (self._directory / _INDEX).stat()
        except FileNotFoundError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def _path(self, kid: str) -> Path:
        return self._directory / f"{kid}.pem"

    def _private_key(self, kid: str) -> keyfile.PrivateKey:
        if kid not in self._private:
            self._private[kid] = keyfile.load(self._path(kid), self._passphrase)
        return self._private[kid]

    def _key(self, entry: KeyEntry) -> Key:
        private = self._private_key(entry.kid)
        if isinstance(private, bytes):
            return load_secret(private, entry.alg, kid=entry.kid)
        return key_of(private.public_key(), entry.alg, kid=entry.kid)

    # writing

    @contextmanager
    def _changing(self) -> Iterator[Ring]:
        """The ring as it is on disk now, while no other process changes it."""
        descriptor = os.open(self._directory / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self._read()
            self._loaded = self._load()
        finally:
            os.close(descriptor)

    def _made(
        self, alg: str, state: KeyState, private: keyfile.PrivateKey | None = None, kid: str = ""
    ) -> KeyEntry:
        kid = kid or base64url.encode(os.urandom(_KID_BYTES)).replace("-", "0").replace("_", "1")
        self._private[kid] = private or keyfile.generate(alg)
        now = self._now_us()
        entry = KeyEntry(kid=kid, alg=alg, state=state, created_us=now, changed_us=now)
        return msgspec.structs.replace(entry, thumbprint=print_of(self._key(entry)))

    def _known(self, ring: Ring, wanted: str) -> KeyEntry | None:
        """The entry of this very key; its latest, when an older ring has several."""
        for entry in reversed(ring.keys):
            # An older ring has no thumbprint, and of what it retired no key to make one of.
            known = entry.thumbprint or (entry.state != "retired" and print_of(self._key(entry)))
            if known == wanted:
                return entry
        return None

    def _as_it_is(self, entry: KeyEntry, kid: str) -> KeyEntry:
        if entry.state == "retired":
            raise KeyRefusedError(
                "key_invalid",
                f"this key was retired, as {entry.kid}",
                where="the imported key",
                hint="make a new one: jwtrail keys new",
            )
        if kid not in ("", entry.kid):
            raise KeyRefusedError(
                "key_set_ambiguous",
                f"this key is in the ring as {entry.kid}",
                where="kid",
                hint="one key has one id: leave --kid out",
            )
        return entry

    def _store(self, entries: tuple[KeyEntry, ...], *made: KeyEntry) -> None:
        """Write the index, and before it the keys that were made; nothing when the ring would be unfit."""
        live = [entry for entry in entries if entry.state != "retired"]
        if len(live) > MAX_KEYS:
            raise KeyRefusedError(
                "key_set_ambiguous",
                f"more than {MAX_KEYS} keys",
                where=str(self._directory),
                hint="retire some",
            )
        KeySet(*(self._key(entry) for entry in live))  # refuses a mixture before it is on disk
        for entry in made:
            keyfile.save(self._path(entry.kid), self._private[entry.kid], self._passphrase)
        keyfile.write_atomically(self._directory / _INDEX, msgspec.json.encode(Ring(keys=entries)))
