"""Segments: every row's entry recomputed from its typed columns, and what the file itself says.

There are two ways. The quick one hashes what the tree needs, and looks at facts that no commitment covers by columns. It is taken
for a file whose bytes the log's key vouches for; when anything is odd about one, and for every other, the careful one
names each row.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from jwtrail.ecs.catalogue import CATALOGUE, CATALOGUE_VERSION
from jwtrail.trail.fsck.report import Findings, Kind
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import (
    COMMITMENT,
    SALT,
    Engine,
    entry_sql,
    leaf_hashes,
    parquet,
    quoted,
    text_literal,
)

__all__ = ["Leaf", "SegmentAudit"]

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"

Leaf = bytes | None
"""A leaf hash, or None where the event cannot be read."""

_BLOCK = 65_536
"""Rows recomputed by one query: bounds memory whatever the size of a segment."""

_PROBE = 8192
"""Rows of one look into a damaged block: a row group (docs/formats/segment.md)."""

_LEAST_ROW = 32
"""Bytes of a file that each of its rows takes: a hash cannot be compressed. Manifest and file may say any number of rows."""

_SAMPLE = 256
"""First rows of a file that is vouched for whose `event.hash` is compared: only its maker can be wrong, and then throughout."""


class SegmentAudit:
    """The audit of one segment.

    Args:
        directory: `segments/`.
        info: what the manifest says of it.
        findings: where to.
        engine: reads the file.
        vouched: whether the log's key signed the digest that the manifest gives.
    """

    def __init__(
        self, directory: Path, info: SegmentInfo, findings: Findings, engine: Engine, *, vouched: bool
    ) -> None:
        self._vouched = vouched
        self._engine = engine
        self._path = directory / info.file
        self._info = info
        self._findings = findings

    def leaves(self) -> Iterator[Sequence[Leaf]]:
        """The leaf hashes of the segment in order, some at a time: exactly as many as it should hold."""
        info = self._info
        if not self._path.is_file():  # who opens a pipe waits for ever
            self._add("missing_range", "the segment is gone, or no file", index=info.first, last=info.last)
            yield from _nothing(info.rows)
            return
        before = len(self._findings.all)
        try:
            columns = self._columns()
        except duckdb.Error as error:
            self._add("unreadable", _short(error), index=info.first, last=info.last)
            yield from _nothing(info.rows)
            return
        digest = self._digest()
        done = 0
        if self._vouched and digest == info.sha256 and self._regular():
            for found in self._quickly(columns):
                done += len(found)
                yield found
        held = max(done, min(info.rows, self._path.stat().st_size // _LEAST_ROW))
        for first in range(done, held, _BLOCK):
            yield self._block(columns, first, min(_BLOCK, held - first))
        if held < info.rows:
            self._add(
                "missing_range",
                "the file is too small for its events",
                index=info.first + held,
                last=info.last,
            )
            yield from _nothing(info.rows - held)
        self._check_file(digest, unchanged=len(self._findings.all) == before)
        self._check_manifest()

    def _quickly(self, columns: frozenset[str]) -> Iterator[Sequence[Leaf]]:
        """As many as come without trouble."""
        try:
            recorded = self._engine.rows(
                f"SELECT {quoted('event.hash')} FROM {parquet(self._path)} ORDER BY file_row_number LIMIT {_SAMPLE}"  # noqa: S608
            )
            hashes = [text for (text,) in recorded]
            for found in leaf_hashes(self._engine, self._path, columns, hashes):
                if None in found:
                    return
                yield found
        except duckdb.Error:
            return

    def _regular(self) -> bool:
        """Whether there are as many rows as there should be, in their order."""
        sequence, first = quoted("event.sequence"), self._info.first
        try:
            ((rows, misplaced),) = self._engine.rows(
                f"SELECT count(*), count(*) FILTER ({sequence} IS DISTINCT FROM file_row_number + {first})"  # noqa: S608
                f" FROM {parquet(self._path)}"
            )
        except duckdb.Error:
            return False
        return bool(rows == self._info.rows and not misplaced)

    def writers(self) -> list[tuple[str, int, int, int]] | None:
        """(writer, first number, last number, breaks in between) of the rows; None when they cannot be read."""
        writer, number = quoted("jwtrail.writer"), quoted("jwtrail.writer_seq")
        try:
            if (one := self._only_writer(writer, number)) is not None:
                return [one]
            return self._engine.rows(
                f"SELECT writer, min(n), max(n), count(*) FILTER (n <> before + 1) FROM (SELECT {writer} AS writer,"  # noqa: S608
                f" {number} AS n, lag({number}) OVER (PARTITION BY {writer} ORDER BY file_row_number) AS before"
                f" FROM {parquet(self._path)}) GROUP BY writer ORDER BY writer"
            )
        except duckdb.Error:
            return None  # `leaves` has said so

    def _only_writer(self, writer: str, number: str) -> tuple[str, int, int, int] | None:
        """The whole answer for a file of one writer without a break, as most are; looking behind each row costs ten times as much."""
        ((rows, known, one, other, first, last, low, high),) = self._engine.rows(
            f"SELECT count(*), count({writer}), min({writer}), max({writer}), min({number}), max({number}),"  # noqa: S608
            f" min({number} - file_row_number), max({number} - file_row_number) FROM {parquet(self._path)}"
        )
        steady = low is not None and low == high and last - first + 1 == rows
        return (one, first, last, 0) if known == rows and one == other and steady else None

    def _columns(self) -> frozenset[str]:
        rows = self._engine.rows(f"DESCRIBE FROM read_parquet({text_literal(str(self._path))})")
        types: dict[str, str] = {row[0]: row[1] for row in rows}
        found = frozenset(types)
        # A text where a number belongs could speak for the columns behind it: types are part of what is hashed.
        odd = sorted(name for name, kind in types.items() if kind != _sql_type(name))
        if odd:
            what = ", ".join(f"{name} {types[name]}" for name in odd[:5])
            self._add("altered_file", f"columns that no segment has: {what}", index=self._info.first)
        if found != frozenset(self._info.columns):
            odd = sorted(found ^ frozenset(self._info.columns))
            self._add(
                "altered_file",
                f"columns differ from the manifest: {', '.join(odd[:5])}",
                index=self._info.first,
            )
        return found

    def _block(self, columns: frozenset[str], first: int, count: int) -> list[Leaf]:
        """Leaf hashes of `count` rows from position `first`; what cannot be read is named as closely as can be."""
        try:
            rows = self._recompute(columns, f"file_row_number BETWEEN {first} AND {first + count - 1}")
        except duckdb.Error as error:
            if count > _PROBE:
                starts = range(first, first + count, _PROBE)
                return [
                    leaf
                    for at in starts
                    for leaf in self._block(columns, at, min(_PROBE, first + count - at))
                ]
            index = self._info.first + first
            self._add("unreadable", _short(error), index=index, last=index + count - 1)
            return [None] * count
        found: list[Leaf] = [None] * count
        for position, sequence, good, leaf in rows:
            index = self._info.first + position
            found[position - first] = bytes.fromhex(leaf) if leaf else None
            if sequence != index:
                self._add("reordered", f"the row says index {sequence}", index=index)
            if not good:
                self._add("altered_row", "the row does not give its recorded hash", index=index)
        self._check_present(found, first, len(rows))
        return found

    def _recompute(self, columns: frozenset[str], where: str) -> list[tuple[int, int, bool, str]]:
        """(position, claimed index, entry fits `event.hash`, leaf hash) of these rows."""
        hashed = "rtrim(replace(replace(to_base64(unhex(sha256(entry))), '+', '-'), '/', '_'), '=')"
        return self._engine.rows(
            f"SELECT position, sequence, coalesce(stored = {hashed}, false), sha256('\\x00'::BLOB || entry)"  # noqa: S608
            f" FROM (SELECT file_row_number AS position, {quoted('event.sequence')} AS sequence,"
            f" {quoted('event.hash')} AS stored, {entry_sql(columns)} AS entry FROM {parquet(self._path)}"
            f" WHERE {where}) ORDER BY position"
        )

    def _check_present(self, found: list[Leaf], first: int, rows: int) -> None:
        if rows < len(found):
            index = self._info.first + first + rows
            self._add(
                "missing_range", "the segment ends before its last index", index=index, last=self._info.last
            )

    def _digest(self) -> str:
        try:
            with self._path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            self._add("unreadable", str(error), index=self._info.first, last=self._info.last)
            return ""

    def _check_file(self, digest: str, *, unchanged: bool) -> None:
        if digest and digest != self._info.sha256:
            what = "its events are unaltered" if unchanged else "see what is named above"
            self._add(
                "altered_file",
                f"the file's digest is not the manifest's; {what}",
                index=self._info.first,
                last=self._info.last,
            )

    def _check_manifest(self) -> None:
        """A wrong time bound would hide the segment from a search, so it counts as damage."""
        info, time = self._info, quoted("@timestamp")
        try:
            found = self._engine.rows(
                f"SELECT strftime(min({time}), '{_TIME}'), strftime(max({time}), '{_TIME}') FROM {parquet(self._path)}"  # noqa: S608
            )[0]
        except duckdb.Error:
            return  # said already
        said = (info.min_time, info.max_time)
        if found != said or info.bytes != self._path.stat().st_size or info.catalogue != CATALOGUE_VERSION:
            self._add(
                "altered_file", "the manifest's facts are not the segment's", index=info.first, last=info.last
            )

    def _add(self, kind: Kind, detail: str, *, index: int, last: int | None = None) -> None:
        self._findings.add(kind, detail, index=index, last=last, segment=self._info.file)


def _nothing(rows: int) -> Iterator[Sequence[Leaf]]:
    """So many leaves that cannot be read, some at a time."""
    for first in range(0, rows, _BLOCK):
        yield [None] * min(_BLOCK, rows - first)


def _sql_type(column: str) -> str | None:
    if column in (SALT, COMMITMENT):
        return "BLOB"
    return CATALOGUE[column].sql_type if column in CATALOGUE else None


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
