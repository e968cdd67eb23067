"""The log as a C2SP tiled log, for tools that are not ours: over HTTP resource by resource, or as a copy of files.

Level-0 tiles and bundles of entries are not stored: they are made from segments and logs, byte for byte.
"""

from pathlib import Path

from msgspec import Struct

from jwtrail.errors import IntegrityError, TrailError
from jwtrail.tlog.merkle import EMPTY_ROOT, TILE_WIDTH
from jwtrail.tlog.proof import root_at
from jwtrail.tlog.tiles import TilePath, bundle, tiles_of
from jwtrail.trail.checkpointer import read_checkpoint
from jwtrail.trail.durable import make_directory, replace_file, storage_errors
from jwtrail.trail.reader import TrailReader

__all__ = ["CHECKPOINT", "Copied", "copy_log", "resource"]

CHECKPOINT = "checkpoint"
"""The one resource that changes; everything else may be kept for ever by whoever has it."""

_TILE = "tile/"


def resource(reader: TrailReader, path: str) -> bytes | None:
    """A resource of the log by its path (c2sp.org/tlog-tiles); None when the last checkpoint does not cover it.

    Args:
        path: `checkpoint`, `tile/<level>/<n>[.p/<width>]` or `tile/entries/<n>[.p/<width>]`.

    Raises:
        CorruptionError: what is needed is damaged.
        IntegrityError: the checkpoint does not verify.
    """
    signed = reader.signed()
    if signed is None:
        return None
    if path == CHECKPOINT:
        return signed.note
    place = TilePath.parse(path.removeprefix(_TILE)) if path.startswith(_TILE) else None
    if place is None or not place.covered(signed.checkpoint.size) or not _available(place, reader.begin):
        return None
    return _content(reader, place)


def _available(place: TilePath, begin: int) -> bool:
    """Whether a resource is still published. The minimum index is the first whole tile of events that are here."""
    minimum = -(-begin // TILE_WIDTH)
    return bool(place.level) or place.number >= minimum


def _content(reader: TrailReader, place: TilePath) -> bytes:
    if place.level is None:
        return bundle(reader.entries(place.first, place.first + place.width - 1))
    return b"".join(reader.nodes(place.level, place.first, place.width))


class Copied(Struct, frozen=True):
    """What a copy holds.

    Args:
        size: events that its checkpoint covers.
        files: tiles and bundles written.
    """

    size: int
    files: int


def copy_log(reader: TrailReader, directory: Path) -> Copied:
    """Write the log to a directory as files that any static web server can serve; its checkpoint last.

    A copy that is there already is brought up to date, if it is a beginning of this log: so a directory on another
    machine is a mirror that the holder of this one cannot rewrite unseen.

    Raises:
        IntegrityError: the directory holds a copy that this log does not continue.
        TrailError: nothing was signed yet.
        CorruptionError: what is needed is damaged.
        WriteError: a file cannot be written.
    """
    signed = reader.signed()
    if signed is None:
        raise TrailError("nothing was signed yet", hint="jwtrail serve signs")
    size = signed.checkpoint.size
    _hold(reader, directory / CHECKPOINT, size)
    make_directory(directory)
    begin = reader.begin
    places = [place for place in tiles_of(size) if _available(place, begin)]
    for place in places:
        path = directory / _TILE / str(place)
        data = _content(reader, place)
        with storage_errors("write a tile", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    replace_file(directory / CHECKPOINT, signed.note)
    return Copied(size, len(places))


def _hold(reader: TrailReader, path: Path, size: int) -> None:
    """The log must continue what an earlier copy says."""
    earlier = read_checkpoint(path, reader.vkey())
    if earlier is None:
        return
    root = root_at(0, earlier.size, reader.nodes) if 0 < earlier.size <= size else EMPTY_ROOT
    if earlier.size > size or root != earlier.root:
        raise IntegrityError(
            f"the copy has {earlier.size} events that this log of {size} does not continue",
            where=str(path),
            hint="the log was rolled back or written anew; keep the copy, it is the evidence",
        )
