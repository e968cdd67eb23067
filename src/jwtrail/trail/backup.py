"""A copy of a data directory that is consistent in itself, taken while everything goes on."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from jwtrail.errors import ConfigError, TrailError
from jwtrail.trail import fsck
from jwtrail.trail.durable import DIRECTORY_MODE, FILE_MODE, make_directory, storage_errors
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import read_manifest
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.retired import reading
from jwtrail.trail.tilestore import TileStore

__all__ = ["BackedUp", "back_up"]

TRIES = 5
"""Segments may be sealed while we copy; then what was looked for has moved, and the copy begins again."""

Tell = Callable[[int, int], None]


class BackedUp(Struct, frozen=True):
    """What a copy holds, as the audit of it says.

    Args:
        size: events.
        signed: how many of them the copied checkpoint covers.
        files: files of segments and logs.
        bytes: their size.
    """

    size: int
    signed: int
    files: int
    bytes: int


def back_up(layout: Layout, target: Path, *, tell: Tell | None = None) -> BackedUp:
    """Copy a data directory to a new place, then audit the copy.

    Copied in the order a reader reads: checkpoint, manifest and segments, order, logs. So a line that is ordered is in
    the logs copied after it, whatever is written meanwhile.

    Args:
        target: must be missing or empty.
        tell: called with (files copied, files to copy).

    Raises:
        ConfigError: there is something in `target`.
        WriteError: the copy cannot be written.
        TrailError: the copy does not pass the audit, or segments are sealed faster than they are copied.
    """
    if target.exists() and any(target.iterdir()):
        raise ConfigError("the directory is not empty", where=str(target), hint="a backup is a new directory")
    copy = Layout(target)
    for _ in range(TRIES):
        copy.create()
        before = read_manifest(layout.manifest)
        try:
            with reading(layout.segments):
                _copy_trail(layout, copy, tell)
        except FileNotFoundError:
            pass  # sealed or erased meanwhile
        else:
            if read_manifest(layout.manifest) == before:
                break
        _clear(target)
    else:
        raise TrailError("segments are sealed faster than they can be copied", where=str(layout.root))
    _copy_state(layout.state, copy.state)
    _make_tiles(layout, copy)
    report = fsck.verify(target)
    if not report.ok:
        raise TrailError(
            f"the copy is not whole: {report.findings[0]}", where=str(target), hint="is the trail?"
        )
    files = [path for place in (copy.segments, copy.wal) for path in place.rglob("*") if path.is_file()]
    return BackedUp(report.size, report.signed, len(files), sum(path.stat().st_size for path in files))


def _copy_trail(layout: Layout, copy: Layout, tell: Tell | None) -> None:
    for path in sorted(layout.keys.rglob("*")):
        if path.is_file():
            _copy(path, copy.keys / path.relative_to(layout.keys))
    for one, other in (
        (layout.checkpoint, copy.checkpoint),
        (layout.hold, copy.hold),
        (layout.restricted, copy.restricted),
        (layout.manifest, copy.manifest),
        (layout.signed_list, copy.signed_list),
    ):
        if one.exists():
            _copy(one, other)
    segments = read_manifest(copy.manifest).segments
    for number, segment in enumerate(segments):
        _copy(layout.segments / segment.file, copy.segments / segment.file)
        if tell:
            tell(number + 1, len(segments))
    if layout.order.exists():
        _copy(layout.order, copy.order)
    for writer in layout.writers():
        for name in layout.wal_files(writer):
            _copy(layout.wal / writer / str(name), copy.wal / writer / str(name))


def _make_tiles(layout: Layout, copy: Layout) -> None:
    """Tiles follow from the events; those of the original are ahead of the copied checkpoint by now.

    Only tiles that cover removed events follow from nothing any more. They never change, so they are copied.
    """
    reader = TrailReader(copy)
    signed, begin = reader.checkpoint(), reader.begin
    if signed is None:
        return
    for path in (layout.tiles / "0").rglob("*") if begin else ():
        if path.is_file():
            _copy(path, copy.tiles / path.relative_to(layout.tiles))
    store = TileStore(copy.tiles)
    store.flush(store.rebuild(signed.size, partial(reader.nodes, 0), begin, TileStore(layout.tiles)))


def _copy(one: Path, other: Path) -> None:
    """A durable copy, readable by the owner alone. What is appended to a log meanwhile may be in it or not."""
    make_directory(other.parent)
    with one.open("rb") as source, storage_errors("write", other):
        fd = os.open(other, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(fd, "wb") as made:
            shutil.copyfileobj(source, made, 1 << 20)
            made.flush()
            os.fdatasync(made.fileno())


def _copy_state(one: Path, other: Path) -> None:
    """SQLite's own online copy: a transaction is in it whole or not at all."""
    if not one.exists():
        return
    os.close(os.open(other, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    try:
        source, made = sqlite3.connect(one), sqlite3.connect(other)
        try:
            source.backup(made)
        finally:
            made.close()
            source.close()
    except sqlite3.Error as error:
        raise TrailError(f"cannot copy: {error}", where=str(one)) from error


def _clear(target: Path) -> None:
    with storage_errors("begin again in", target):
        shutil.rmtree(target)
        target.mkdir(mode=DIRECTORY_MODE)
