"""Restricted people: their records must be kept, and are shown to nobody until they are erased (`restricted.json`)."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from jwtrail.errors import CorruptionError
from jwtrail.trail.durable import replace_file, storage_errors, sync_directory

__all__ = ["Restriction", "change_restrictions", "read_restrictions"]

Runs = tuple[tuple[int, int], ...]


class Restriction(Struct, frozen=True, kw_only=True):
    """One person whose erasure waits until a retention period is over.

    Args:
        person: their `user.id`.
        names: what they typed at sign-in.
        others: first and last index of runs of records that tell of them and are found by no field that names people.
        records: all that wait.
        at_us: since when.
        until_us: the moment of the last of them leaves the period here; then all are erased.
        by: who asked for it.
        ticket: what it was asked with; does not name the person.
    """

    person: str
    names: tuple[str, ...] = ()
    others: Runs = ()
    records: int
    at_us: int
    until_us: int
    by: str
    ticket: str = ""


def read_restrictions(path: Path) -> tuple[Restriction, ...]:
    """Who is restricted; nobody when there is no file.

    Raises:
        CorruptionError: the file is damaged: it is not guessed who may be shown.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Restriction, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        raise CorruptionError(
            f"it cannot be read who is restricted: {error}", where=str(path), hint="take it from a backup"
        ) from error


def change_restrictions(
    path: Path, change: Callable[[tuple[Restriction, ...]], tuple[Restriction, ...]]
) -> None:
    """Read, change and write as one step, whoever else does. Nothing is left of a file without anybody in it.

    Raises:
        CorruptionError: see `read_restrictions`.
        WriteError: it cannot be written; the old content stands.
    """
    with storage_errors("write", path), _alone(path.parent):
        changed = change(read_restrictions(path))
        if changed:
            replace_file(path, msgspec.json.encode(changed) + b"\n")
        elif path.exists():
            path.unlink()
            sync_directory(path.parent)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
