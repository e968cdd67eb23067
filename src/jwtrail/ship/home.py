"""What a shipper remembers of one target, below `<data>/ship/<name>/`: how far it is, what was refused, whom to forget.

`cursor` and the two lists are small JSON files, 0600, replaced durably. The lists name indexes and never hold an event: a
person who is erased from the trail is not left over here.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

import msgspec
from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import ConfigError, CorruptionError, LockedError
from jwtrail.ship.sink import Refusal
from jwtrail.trail.durable import FILE_MODE, make_directory, replace_file, storage_errors

__all__ = ["MAX_DEAD", "Cursor", "Dead", "Home", "homes", "name_of"]

MAX_DEAD = 10_000
"""Refused documents that are kept for one target: more is no accident of single documents but a target that is set up wrongly."""

_T = TypeVar("_T")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


class Cursor(Struct, frozen=True):
    """How far a target has everything.

    Args:
        target: its address.
        next: the first index it does not have.
        at: when that was so.
        origin: the log that is shipped; a position in another one means nothing.
    """

    target: str
    next: int = 0
    at: str = ""
    origin: str = ""


class Dead(Struct, frozen=True):
    """A document that the target refused.

    Args:
        cause: in the target's words.
        at: when.
    """

    sequence: int
    id: str
    cause: str
    at: str


def name_of(target: str) -> str:
    """The name that a target gets when nobody gives it one."""
    return re.sub(r"[^a-z0-9.]+", "-", target.lower()).strip("-.")[:100] or "target"


def homes(root: Path) -> list["Home"]:
    """Everything that was ever shipped to, by name."""
    if not root.is_dir():
        return []
    return [Home(root, path.name) for path in sorted(root.iterdir()) if _NAME.fullmatch(path.name)]


class Home:
    """One target's directory; nothing is made until something is kept.

    Args:
        root: `<data>/ship`.
        name: of the target.

    Raises:
        ConfigError: the name is none.
    """

    def __init__(self, root: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name of a target", hint="small letters, digits, `.` and `-`")
        self.name = name
        self.path = root / name
        self._lock = -1

    def lock(self) -> None:
        """Be the only one who ships to this target.

        Raises:
            LockedError: another process does.
            WriteError: the directory cannot be made.
        """
        make_directory(self.path)
        with storage_errors("open", self.path / "LOCK"):
            fd = os.open(self.path / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise LockedError(
                "another process ships to this target",
                where=str(self.path),
                hint="`jwtrail serve` ships too where ship.to names it",
            ) from error
        self._lock = fd

    def is_locked(self) -> bool:
        """Whether somebody ships there now."""
        try:
            fd = os.open(self.path / "LOCK", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def cursor(self) -> Cursor | None:
        """How far it is; None before the first time.

        Raises:
            CorruptionError: the file is damaged.
        """
        data = self._read("cursor")
        return self._decoded(data, Cursor, "cursor") if data is not None else None

    def move(self, cursor: Cursor) -> None:
        """Remember how far it is, durably.

        Raises:
            WriteError: the old position stands; what is sent again is recognised.
        """
        replace_file(self.path / "cursor", msgspec.json.encode(cursor) + b"\n")

    def dead(self) -> list[Dead]:
        """What was refused, by index; raises as `cursor`."""
        return self._decoded(self._read("dead") or b"[]", list[Dead], "dead")

    def bury(self, refused: Iterable[Refusal]) -> None:
        """Add to what was refused, durably; the last cause counts.

        Raises:
            CorruptionError: there are more than `MAX_DEAD`, or the list is damaged.
            WriteError: it cannot be written.
        """
        now = clock.iso(clock.now_us())
        known = {one.sequence: one for one in self.dead()}
        known |= {one.sequence: Dead(one.sequence, one.id, one.cause, now) for one in refused}
        if len(known) > MAX_DEAD:
            raise CorruptionError(
                f"the target refused more than {MAX_DEAD:,} documents",
                where=str(self.path),
                hint="look at `jwtrail ship status --dead`, mend the target, then `jwtrail ship retry`",
            )
        self._keep_dead(known.values())

    def raise_dead(self, sequences: Iterable[int]) -> None:
        """Take from what was refused."""
        gone = set(sequences)
        self._keep_dead(one for one in self.dead() if one.sequence not in gone)

    def _keep_dead(self, dead: Iterable[Dead]) -> None:
        ordered = sorted(dead, key=lambda one: one.sequence)
        replace_file(self.path / "dead", msgspec.json.encode(ordered) + b"\n")

    def forgetting(self) -> list[int]:
        """Indexes whose documents must be rewritten without a person; raises as `cursor`."""
        return self._decoded(self._read("forget") or b"[]", list[int], "forget")

    def forget(self, sequences: Iterable[int]) -> None:
        """Have the documents of these indexes rewritten, durably. Raises `WriteError`."""
        with self._alone():
            self._keep_forgetting({*self.forgetting(), *sequences})

    def forgotten(self, sequences: Iterable[int]) -> None:
        """These are rewritten."""
        with self._alone():
            self._keep_forgetting(set(self.forgetting()).difference(sequences))

    def _keep_forgetting(self, sequences: set[int]) -> None:
        replace_file(self.path / "forget", msgspec.json.encode(sorted(sequences)) + b"\n")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """An erasure adds to the list while a shipper takes from it: one after the other."""
        with storage_errors("open", self.path / "forget.lock"):
            fd = os.open(self.path / "forget.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def _decoded(self, data: bytes, kind: type[_T], name: str) -> _T:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CorruptionError(f"cannot be read: {error}", where=str(self.path / name)) from error

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()
