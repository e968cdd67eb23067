"""Making again what follows from what is authoritative: manifest and tiles, from segments, logs, keys and what was signed."""

import hashlib
import os
from functools import partial
from itertools import count

import duckdb
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE_VERSION
from jwtrail.errors import CorruptionError, IntegrityError
from jwtrail.tlog.tiles import TilePath
from jwtrail.trail.durable import storage_errors
from jwtrail.trail.keeper import take_lock
from jwtrail.trail.layout import Layout, SegmentName
from jwtrail.trail.logkey import load_verifier
from jwtrail.trail.manifest import Manifest, Position, SegmentInfo, read_manifest, write_manifest
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.recompute import Engine, entry_sql, parquet, quoted, text_literal
from jwtrail.trail.signedlist import Listed, SignedList
from jwtrail.trail.tilestore import TileStore
from jwtrail.trail.wal import CHAIN_START, next_chain

__all__ = ["Rebuilt", "rebuild"]

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class Rebuilt(Struct, frozen=True):
    """What was done.

    Args:
        manifest: whether it was made again; else it was whole.
        segments: that it names.
        tiles: files written.
        events: that the tiles cover, as the checkpoint says.
    """

    manifest: bool
    segments: int
    tiles: int
    events: int


def rebuild(layout: Layout) -> Rebuilt:
    """Make manifest and tiles again, and hold them against what was signed before anything is written.

    Raises:
        LockedError: the daemon runs.
        IntegrityError: what is here is not what was signed, or what says so is gone.
        CorruptionError: a segment cannot be read.
        WriteError: something cannot be written; give the command again.
    """
    lock = take_lock(layout)
    try:
        made = _manifest(layout)
        if made is not None:
            write_manifest(layout.manifest, made)
        tiles, events = _tiles(layout)
        return Rebuilt(made is not None, len(read_manifest(layout.manifest).segments), tiles, events)
    finally:
        os.close(lock)


def _manifest(layout: Layout) -> Manifest | None:
    """A manifest that names the files that were signed; None when the one that is here does."""
    try:
        signed = SignedList.open(layout.signed_list.read_bytes(), load_verifier(layout.log_vkey))
    except FileNotFoundError as error:
        raise IntegrityError(
            "the signed list of segments is gone: nothing says which files belong to the trail",
            where=str(layout.signed_list),
            hint="put it back from a backup",
        ) from error
    try:
        if signed.names(read_manifest(layout.manifest).segments):
            return None
    except CorruptionError:
        pass  # it is made again
    segments = _segments(layout)
    while segments and Listed.of(segments) not in signed.lists:
        segments.pop()  # written, but not signed when something stopped: its events are in the logs
    if Listed.of(segments) not in signed.lists:
        raise IntegrityError("the segments are not those that were signed", where=str(layout.segments))
    size = segments[-1].last + 1 if segments else 0
    return Manifest(size=size, segments=tuple(segments), writers=_positions(layout, segments))


def _segments(layout: Layout) -> list[SegmentInfo]:
    """What the files say of themselves: of those that begin at one index the longest, of its editions the newest."""
    chosen: list[SegmentName] = []
    for name in sorted(layout.segment_names(), key=lambda one: (one.first, -one.last, -one.edition)):
        if not chosen or name.first > chosen[-1].last:
            chosen.append(name)
    with Engine() as engine:
        return [_facts(layout, engine, name) for name in chosen]


def _facts(layout: Layout, engine: Engine, name: SegmentName) -> SegmentInfo:
    path, time = layout.segments / str(name), quoted("@timestamp")
    try:
        columns = engine.rows(f"DESCRIBE FROM read_parquet({text_literal(str(path))})")
        ((rows, first, last),) = engine.rows(
            f"SELECT count(*), strftime(min({time}), '{_TIME}'), strftime(max({time}), '{_TIME}')"  # noqa: S608
            f" FROM {parquet(path)}"
        )
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (duckdb.Error, OSError) as error:
        raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error
    return SegmentInfo(
        file=str(name), first=name.first, last=name.last, rows=rows, bytes=path.stat().st_size, min_time=first,
        max_time=last, columns=tuple(sorted(row[0] for row in columns)), catalogue=CATALOGUE_VERSION, sha256=digest,
    )  # fmt: skip


def _positions(layout: Layout, segments: list[SegmentInfo]) -> dict[str, Position]:
    """Up to where the lines of each writer that still has logs are sealed; the chain value follows from its entries."""
    found: dict[str, Position] = {}
    with Engine() as engine:
        for writer in layout.writers():
            number, chain = 0, CHAIN_START
            for info in segments:
                path = layout.segments / info.file
                rows = engine.rows(
                    f"SELECT {quoted('jwtrail.writer_seq')}, {entry_sql(frozenset(info.columns))} FROM {parquet(path)}"  # noqa: S608
                    f" WHERE {quoted('jwtrail.writer')} = {text_literal(writer)} ORDER BY file_row_number"
                )
                for expected, (stored, entry) in zip(count(number + 1), rows, strict=False):
                    if stored != expected:
                        raise IntegrityError(
                            f"lines of writer {writer} before number {stored} were removed or are missing",
                            where=str(path),
                            hint="put manifest.json back from a backup",
                        )
                    number, chain = stored, next_chain(chain, entry)
            if number:
                found[writer] = Position.at(number, chain)
    return found


def _tiles(layout: Layout) -> tuple[int, int]:
    """Write every tile that the checkpoint needs, remove those that no tree of it has; how many, and for how many events."""
    reader = TrailReader(layout)
    signed = reader.checkpoint()
    if signed is None:
        raise IntegrityError(
            "there is no checkpoint", where=str(layout.checkpoint), hint="put it back from a backup"
        )
    store = TileStore(layout.tiles)
    tree = store.rebuild(signed.size, partial(reader.nodes, 0), reader.begin)
    if tree.root() != signed.root:
        raise IntegrityError(
            "the events are not those that were signed",
            where=str(layout.root),
            hint="`jwtrail trail verify` names what was altered",
        )
    store.flush(tree)
    written = 0
    with storage_errors("remove a tile from", layout.tiles):
        for path in layout.tiles.rglob("*"):
            place = TilePath.parse(str(path.relative_to(layout.tiles))) if path.is_file() else None
            if place and place.level:
                if place.covered(signed.size):
                    written += 1
                else:
                    path.unlink()
    return written, signed.size
