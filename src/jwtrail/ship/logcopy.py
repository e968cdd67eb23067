"""A copy of the log as files (`jwtrail export tlog`, or what was fetched below `/tlog/`), in the place of a trail.

It holds no field of an event, only the entries that documents must give: so somebody who may not see the data directory can
say which document of an engine was altered, and also when the engine has removed the oldest.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from jwtrail.errors import CorruptionError, IntegrityError
from jwtrail.tlog.checkpoint import Checkpoint, open_checkpoint
from jwtrail.tlog.merkle import TILE_WIDTH, Tree
from jwtrail.tlog.note import MAX_NOTE, Verifier
from jwtrail.tlog.tiles import TilePath

__all__ = ["ENTRY_SIZE", "LogCopy"]

ENTRY_SIZE = 81
"""Bytes of an entry (docs/formats/entry.md); a bundle has two more in front of each."""

_LENGTH = ENTRY_SIZE.to_bytes(2, "big")


class LogCopy:
    """Entries by index, after their root was found to be the signed one.

    Args:
        directory: of the copy.
        checkpoint: whose signature was checked.
    """

    def __init__(self, directory: Path, checkpoint: Checkpoint) -> None:
        self._directory = directory
        self.size = checkpoint.size

    @classmethod
    def open(cls, directory: Path, verifier: Verifier) -> Self:
        """Check everything once.

        Raises:
            NoteError: the checkpoint is not signed by this key.
            CorruptionError: a file is missing or not what it should be.
            IntegrityError: the entries do not have the signed root.
        """
        checkpoint = open_checkpoint(_read(directory / "checkpoint", MAX_NOTE), verifier)
        made = cls(directory, checkpoint)
        tree = Tree()
        for number in range(-(-checkpoint.size // TILE_WIDTH)):
            tree.extend(made._bundle(number))
        if tree.root() != checkpoint.root:
            raise IntegrityError("the entries of the copy do not have the signed root", where=str(directory))
        return made

    def entries(self, first: int, last: int) -> list[bytes]:
        """The entries from `first` to `last`, both included and below `size`.

        Raises:
            CorruptionError: as `open`.
        """
        return list(self._entries(first, last))

    def _entries(self, first: int, last: int) -> Iterator[bytes]:
        for number in range(first // TILE_WIDTH, last // TILE_WIDTH + 1):
            begin = number * TILE_WIDTH
            yield from self._bundle(number)[max(0, first - begin) : last + 1 - begin]

    def _bundle(self, number: int) -> list[bytes]:
        width = min(TILE_WIDTH, self.size - number * TILE_WIDTH)
        path = self._directory / "tile" / str(TilePath(None, number, width))
        step = ENTRY_SIZE + len(_LENGTH)
        data = _read(path, width * step)
        parts = [data[at : at + step] for at in range(0, len(data), step)]
        if len(data) != width * step or any(part[:2] != _LENGTH for part in parts):
            raise CorruptionError("not a bundle of entries", where=str(path))
        return [part[2:] for part in parts]


def _read(path: Path, most: int) -> bytes:
    """A file of at most so many bytes, and one more when it is longer."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise CorruptionError(
            f"the copy lacks a file: {error.strerror}",
            where=str(path),
            hint="entries that the trail has removed are only in copies that were made before",
        ) from error
