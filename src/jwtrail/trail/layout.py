"""Where everything lies below the data directory (docs/formats/layout.md)."""

import os
import re
from pathlib import Path

from msgspec import Struct

from jwtrail.trail.durable import make_directory

__all__ = ["Layout", "SegmentName", "WalFileName"]

_WRITER = re.compile(r"[0-9a-f]{16}")
_SEGMENT = re.compile(r"([0-9]{12})-([0-9]{12})(?:\.([1-9][0-9]{0,5}))?\.parquet")
_WAL_FILE = re.compile(r"([0-9]{12})(?:\.([1-9][0-9]{0,5}))?\.ndjson")


class WalFileName(Struct, frozen=True, order=True):
    """Name of a log file; names sort in the order they are read.

    Args:
        first: number of its first line.
        attempt: 0, or counted up when a file with this first number had to be given up.
    """

    first: int
    attempt: int = 0

    def __str__(self) -> str:
        return f"{self.first:012d}{f'.{self.attempt}' if self.attempt else ''}.ndjson"

    @classmethod
    def parse(cls, name: str) -> "WalFileName | None":
        found = _WAL_FILE.fullmatch(name)
        return cls(int(found[1]), int(found[2] or 0)) if found else None


class SegmentName(Struct, frozen=True, order=True):
    """Name of a segment; names sort by place, then age.

    Args:
        first: its first index.
        last: its last index.
        edition: 0, or counted up when it was written anew without a person.
    """

    first: int
    last: int
    edition: int = 0

    def __str__(self) -> str:
        return f"{self.first:012d}-{self.last:012d}{f'.{self.edition}' if self.edition else ''}.parquet"

    @classmethod
    def parse(cls, name: str) -> "SegmentName | None":
        found = _SEGMENT.fullmatch(name)
        return cls(int(found[1]), int(found[2]), int(found[3] or 0)) if found else None

    def next_edition(self) -> "SegmentName":
        return SegmentName(self.first, self.last, self.edition + 1)


class Layout:
    """Paths of one data directory; nothing is made or opened until asked for.

    Args:
        root: the data directory; need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = root / "LOCK"
        self.wal = root / "wal"
        self.order = root / "head" / "order.ndjson"
        self.segments = root / "segments"
        self.index = root / "index"
        self.manifest = root / "manifest.json"
        self.tlog = root / "tlog"
        self.checkpoint = root / "tlog" / "checkpoint"
        self.witnessed = root / "tlog" / "witnessed"
        self.signed_list = root / "tlog" / "segments"
        self.tiles = root / "tlog" / "tile"
        self.keys = root / "keys"
        self.log_key = root / "keys" / "log.pem"
        self.log_vkey = root / "keys" / "log.vkey"
        self.hold = root / "HOLD"
        self.restricted = root / "restricted.json"
        self.reserve = root / "RESERVE"
        self.state = root / "state.db"
        self.ship = root / "ship"

    def create(self) -> None:
        """Make the directories that are missing, durably.

        Raises:
            WriteError: one cannot be made.
        """
        for path in (self.wal, self.order.parent, self.segments, self.tiles, self.keys):
            make_directory(path)

    def segment_names(self) -> list[SegmentName]:
        """Files in `segments/` that are named like segments, sorted; also those that the manifest does not name."""
        if not self.segments.is_dir():
            return []
        names = [SegmentName.parse(path.name) for path in self.segments.iterdir()]
        return sorted(name for name in names if name is not None)

    def writers(self) -> list[str]:
        """Ids of the writers that have a directory, sorted. A file of such a name is not ours; the audit names it."""
        return sorted(
            one.name
            for one in _listed(self.wal)
            if _WRITER.fullmatch(one.name) and one.is_dir(follow_symlinks=False)
        )

    def wal_files(self, writer: str) -> list[WalFileName]:
        """A writer's log files in reading order; empty when its directory is gone. Only files: a pipe would hold up everything."""
        names = [
            WalFileName.parse(one.name)
            for one in _listed(self.wal / writer)
            if one.is_file(follow_symlinks=False)
        ]
        return sorted(name for name in names if name is not None)


def _listed(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
