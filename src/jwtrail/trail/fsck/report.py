"""What an audit says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import Struct

__all__ = [
    "KINDS",
    "MAX_FINDINGS",
    "MAX_LINE",
    "MAX_SMALL",
    "Finding",
    "Findings",
    "Kind",
    "Report",
    "small",
]

Kind = Literal[
    "altered_row",  # an event is not the one that was recorded
    "altered_file",  # a segment's bytes changed, its events did not: an unprotected column, or dead bytes
    "missing_range",  # events that were there are gone
    "reordered",  # rows are not in the order of their indexes
    "rolled_back",  # more was signed than is there
    "forked",  # something else was signed than is there
    "unsigned",  # there are events and no checkpoint; as a note: the newest wait for the next one
    "bad_signature",  # a checkpoint or key is malformed or does not verify
    "writer_gap",  # a writer's numbers have a gap
    "erased",  # note: so many rows no longer tell of a person, as events in the trail announced
    "unaccounted_erasure",  # more rows are without their person than events in the trail announced
    "pruned",  # note: the oldest events were removed, as events in the trail announced
    "unaccounted_prune",  # more of them are gone than events in the trail announced
    "torn_tail",  # note: a process died while writing; nothing acknowledged is lost
    "tile_mismatch",  # a stored hash differs from the events
    "foreign",  # something that is no part of the trail: a note, but damage where a part belongs
    "unreadable",  # a file, or a part of it, cannot be read
]
KINDS: tuple[str, ...] = get_args(Kind)

MAX_FINDINGS = 1000
"""Findings kept: of a trail that is altered throughout, the first thousand say enough."""


MAX_DETAIL = 500
"""Characters of a finding's words: names in a file may be as long as somebody wants."""

MAX_SMALL = 1 << 20
"""Bytes of a note, a key or a tile; the largest tile has 8 KiB, a checkpoint with its signatures some hundred bytes."""

MAX_LINE = 1 << 20
"""Bytes of a line of a log (docs/formats/wal.md) or of the order, which has one of some hundred."""


def small(path: Path) -> bytes:
    """The bytes of a small file.

    Raises:
        OSError: it cannot be read, or is larger than any such file is.
    """
    with path.open("rb") as file:
        data = file.read(MAX_SMALL + 1)
    if len(data) > MAX_SMALL:
        raise OSError(f"it has more than {MAX_SMALL} bytes")
    return data


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or worth knowing.

    Args:
        kind: which.
        detail: in words.
        index: of the event, or the first of a range; None when it concerns no event.
        last: the last index of a range.
        segment: name of the segment file.
        file: path of another file, relative to the data directory.
        offset: byte in that file.
        note: worth knowing, not damage.
    """

    kind: Kind
    detail: str
    index: int | None = None
    last: int | None = None
    segment: str | None = None
    file: str | None = None
    offset: int | None = None
    note: bool = False

    def __str__(self) -> str:
        place = [f"index {self.index}" + (f" to {self.last}" if self.last is not None else "")] * (
            self.index is not None
        )
        place += [f"segment {self.segment}"] * (self.segment is not None)
        place += [f"{self.file}" + (f" offset {self.offset}" if self.offset is not None else "")] * (
            self.file is not None
        )
        return f"{self.kind}: {', '.join([*place, self.detail])}"


class Report(Struct, frozen=True):
    """The result of an audit.

    Args:
        ok: nothing is wrong; notes do not count.
        size: events that are there, sealed or not.
        signed: events that the last valid checkpoint covers.
        root: root over the signed events as recomputed, hexadecimal; empty when it could not be.
        findings: what was found, in the order it was met.
    """

    ok: bool
    size: int
    signed: int
    root: str
    findings: tuple[Finding, ...]


class Findings:
    """Where an audit collects what it meets."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def add(self, kind: Kind, detail: str, **place: Any) -> None:
        """Note a finding; `place` are fields of `Finding`."""
        if len(self.all) < MAX_FINDINGS:
            self.all.append(Finding(kind=kind, detail=detail[:MAX_DETAIL], **place))

    def insist(self, kind: Kind, detail: str, **place: Any) -> None:
        """Note a finding that says why others end; it takes the place of the last one when there are too many."""
        del self.all[MAX_FINDINGS - 1 :]
        self.add(kind, detail, **place)

    def read(self, path: Path, name: str) -> bytes:
        """A small file's bytes; none when it is missing, and none but a finding when it cannot be read."""
        try:
            if path.exists() and not path.is_file():  # to open a pipe is to wait for ever
                self.add("unreadable", "not a file", file=name)
                return b""
            return small(path)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self.add("unreadable", str(error), file=name)
            return b""

    def lines(self, path: Path, name: str) -> Iterator[bytes]:
        """The lines of a file with their ends, one in memory at a time; as `read` when it cannot be read.

        A line that is too long to be one ends it, with a finding: behind it nothing says where the next one begins.
        """
        try:
            if path.exists() and not path.is_file():
                self.add("unreadable", "not a file", file=name)
                return
            with path.open("rb") as file:
                while line := file.readline(MAX_LINE + 1):
                    if len(line) > MAX_LINE:
                        what = f"a line has more than {MAX_LINE} bytes; what follows is not looked at"
                        self.add("unreadable", what, file=name, offset=file.tell() - len(line))
                        return
                    yield line
        except FileNotFoundError:
            return
        except OSError as error:
            self.add("unreadable", str(error), file=name)

    def named(self, first: int, last: int) -> bool:
        """Whether an event within these indexes is already known to be wrong."""
        kinds = ("altered_row", "reordered", "missing_range")
        return any(
            one.kind in kinds and one.index is not None and first <= one.index <= last for one in self.all
        )

    @property
    def broken(self) -> bool:
        """Something is wrong, not only worth knowing."""
        return any(not finding.note for finding in self.all)
