"""Sequenced events as the documents that other stores take: JSON cut from what is stored, nothing decoded and encoded again.

A document is flat: every field by its dotted name, the derived ones too, and what its entry is recomputed from:
`jwtrail.salt`, or after an erasure `jwtrail.personal_commitment`, in hexadecimal.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.errors import CorruptionError, ProofError
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo, read_manifest
from jwtrail.trail.recompute import COMMITMENT, SALT, Engine, member_sql, parquet, quoted

__all__ = ["Document", "SegmentDocuments", "document_sql", "read_documents"]

MAX_INDEXES = 10_000
"""Indexes of one question."""

_DATASET = "event.dataset"
_HASH = "event.hash"
_SEQUENCE = "event.sequence"


class Document(Struct, frozen=True, gc=False):
    """One event for another store.

    Args:
        sequence: its index.
        id: `event.hash`, the same in every store.
        dataset: `event.dataset`; empty when it has none.
        body: the JSON object.
        erased: a person was taken out of it.
    """

    sequence: int
    id: str
    dataset: str
    body: bytes
    erased: bool = False


class SegmentDocuments:
    """Reads documents out of segments.

    Args:
        layout: where.
        engine: kept by the caller, and closed by it.
    """

    def __init__(self, layout: Layout, engine: Engine) -> None:
        self._layout = layout
        self._engine = engine

    def rows(self, segment: SegmentInfo, first: int, last: int) -> list[Document]:
        """The documents of the indexes from `first` to `last` of one segment, in order.

        Raises:
            CorruptionError: the segment cannot be read, or lacks a row.
            FileNotFoundError: an erasure has put a new edition in its place.
        """
        low, high = first - segment.first, last - segment.first
        found = self._read(segment, f"file_row_number BETWEEN {low} AND {high}")
        if [one.sequence for one in found] != list(range(first, last + 1)):
            raise CorruptionError(
                f"rows of the indexes {first} to {last} are missing", where=str(self._path(segment))
            )
        return found

    def picked(self, segment: SegmentInfo, indexes: Sequence[int]) -> list[Document]:
        """The documents of some indexes of one segment, in order; raises as `rows`."""
        return self._read(segment, f"{quoted(_SEQUENCE)} IN ({', '.join(map(str, indexes))})")

    def _read(self, segment: SegmentInfo, where: str) -> list[Document]:
        path = self._path(segment)
        columns = frozenset(segment.columns)
        erased = f"{quoted(COMMITMENT)} IS NOT NULL" if COMMITMENT in columns else "false"
        dataset = quoted(_DATASET) if _DATASET in columns else "NULL"
        sql = (
            f"SELECT {quoted(_SEQUENCE)}, {quoted(_HASH)}, {dataset}, encode({document_sql(columns)}), {erased}"  # noqa: S608  # names are the catalogue's
            f" FROM {parquet(path)} WHERE {where} ORDER BY file_row_number"
        )
        try:
            return [_document(*row) for row in self._engine.rows(sql)]
        except duckdb.Error as error:
            if not path.exists():
                raise FileNotFoundError(str(path)) from error
            raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error

    def _path(self, segment: SegmentInfo) -> Path:
        return self._layout.segments / segment.file


def read_documents(layout: Layout, indexes: Sequence[int]) -> list[Document]:
    """The documents of some sealed indexes, in order; what is not sealed (yet, or any more) is left out.

    Raises:
        ProofError: more than `MAX_INDEXES`.
        CorruptionError: a segment cannot be read.
        FileNotFoundError: a segment was replaced meanwhile; ask again.
    """
    if len(indexes) > MAX_INDEXES:
        raise ProofError(f"more than {MAX_INDEXES} indexes at once")
    found: list[Document] = []
    with Engine() as engine:
        reading = SegmentDocuments(layout, engine)
        for segment in read_manifest(layout.manifest).segments:
            wanted = sorted(index for index in indexes if segment.first <= index <= segment.last)
            if wanted:
                found += reading.picked(segment, wanted)
    return found


def _document(sequence: int, identity: str, dataset: str | None, body: Any, erased: Any) -> Document:
    return Document(sequence, identity, dataset or "", bytes(body), bool(erased))


def document_sql(columns: frozenset[str]) -> str:
    """SQL for the whole JSON object of a row; a field without a value is left out."""
    members = [member_sql(field) for name, field in CATALOGUE.items() if name in columns]
    members += [
        f"'\"{name}\":\"' || lower(hex({quoted(name)})) || '\"'"
        for name in (COMMITMENT, SALT)
        if name in columns
    ]
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"
