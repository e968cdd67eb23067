"""Writing so that it is still there after a power cut, and saying plainly when that cannot be done."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jwtrail.errors import WriteError

__all__ = [
    "DIRECTORY_MODE",
    "FILE_MODE",
    "make_directory",
    "replace_file",
    "storage_errors",
    "sync_directory",
    "write_all",
]

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space, jwtrail goes on by itself",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only: mount it writable or choose another data directory",
    errno.EACCES: "this user may not write there: check owner and mode of the data directory",
    errno.EPERM: "this user may not write there: check owner and mode of the data directory",
    errno.EIO: "the disk reports errors: check it before anything else",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
}


@contextmanager
def storage_errors(doing: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `WriteError` that says what was done, where, and what to do."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise WriteError(
            f"cannot {doing}: {reason}", where=str(path), hint=_HINTS.get(error.errno or 0, "")
        ) from error


def sync_directory(path: Path) -> None:
    """Make creations, renames and removals in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, 0700, durably; nothing happens when it is there.

    Raises:
        WriteError: it cannot be made.
    """
    with storage_errors("make the directory", path):
        missing = [at for at in (path, *path.parents) if not at.exists()]
        for at in reversed(missing):
            at.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            sync_directory(at.parent)


def write_all(fd: int, data: bytes) -> None:
    """`os.write` until nothing is left: one call, unless the disk is nearly full or a signal comes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file's content in one step, durably: a reader sees the old or the new, also after a power cut.

    Raises:
        WriteError: it cannot be written; the old content stands, or the new one when only the directory could not be synced.
    """
    with storage_errors("write", path):
        temporary = path.with_name(path.name + ".tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.rename(path)
        sync_directory(path.parent)
