"""Rows without a person, events that are gone, and the events that announced both: nobody leaves the trail unsaid."""

from pathlib import Path

import duckdb
from msgspec import Struct

from jwtrail.ecs.vocabulary import IMPORTED
from jwtrail.trail.fsck.report import Findings
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import COMMITMENT, Engine, parquet, quoted, text_literal

__all__ = ["ANNOUNCED", "PRUNED", "RECORDS", "Announced", "ErasureAudit"]

ANNOUNCED = "subject-erased"
"""Action of the event that says, before it is done, how many records will lose their person."""

RECORDS = "jwtrail.records"
"""Field of it that says how many."""

PRUNED = "trail-pruned"
"""Action of the event that says, before it is done, how many events of the trail's beginning are gone, in all."""


class Announced(Struct, frozen=True):
    """What events say was taken away.

    Args:
        erased: records that lost their person, the sum.
        pruned: events gone from the beginning, the largest.
    """

    erased: int = 0
    pruned: int = 0

    def more(self, other: "Announced") -> "Announced":
        return Announced(self.erased + other.erased, max(self.pruned, other.pruned))


class ErasureAudit:
    """Counts erased rows and announced ones. An erasure that was cut off announces twice, so more may be announced."""

    def __init__(self, findings: Findings, engine: Engine) -> None:
        self._findings = findings
        self._engine = engine
        self._erased = 0
        self._announced = Announced()
        self._first: int | None = None
        self._last: int | None = None

    def segment(self, path: Path, info: SegmentInfo) -> None:
        """Count in a segment; one that cannot be read is for others to name."""
        known = frozenset(info.columns)
        says = {"event.action", RECORDS} <= known
        # What another trail announced is no leave to take something out of this one.
        ours = (
            f"NOT coalesce(list_contains(tags, {text_literal(IMPORTED)}), false)"
            if "tags" in known
            else "true"
        )
        # Sums without WHERE: no row group may be passed over because of what its statistics claim.
        kept = f"{quoted(COMMITMENT)} IS NOT NULL" if COMMITMENT in known else "false"
        said = f"{quoted('event.action')} = {text_literal(ANNOUNCED)} AND {ours}" if says else "false"
        gone = f"{quoted('event.action')} = {text_literal(PRUNED)} AND {ours}" if says else "false"
        records = quoted(RECORDS) if says else "0"
        try:
            ((erased, first, last, announced, pruned),) = self._engine.rows(
                f"SELECT sum(CASE WHEN {kept} THEN 1 ELSE 0 END),"  # noqa: S608  # names are the catalogue's
                f" min(CASE WHEN {kept} THEN file_row_number END), max(CASE WHEN {kept} THEN file_row_number END),"
                f" sum(CASE WHEN {said} THEN {records} ELSE 0 END),"
                f" max(CASE WHEN {gone} THEN {records} ELSE 0 END) FROM {parquet(path)}"
            )
        except duckdb.Error:
            return
        self.announced(Announced(int(announced or 0), int(pruned or 0)))
        if erased:
            self._erased += int(erased)
            self._first = info.first + first if self._first is None else self._first
            self._last = info.first + last

    def announced(self, what: Announced) -> None:
        """Take what events announced."""
        self._announced = self._announced.more(what)

    def compare(self, begin: int) -> None:
        """Say what was erased and what is gone before index `begin`; as damage when it was not announced."""
        if begin:
            told = begin <= self._announced.pruned
            self._findings.add(
                "pruned" if told else "unaccounted_prune",
                f"{begin} events were removed; {PRUNED} events announced {self._announced.pruned}",
                index=0, last=begin - 1, note=told,
            )  # fmt: skip
        if self._erased:
            told = self._erased <= self._announced.erased
            self._findings.add(
                "erased" if told else "unaccounted_erasure",
                f"{self._erased} events no longer tell of a person; {ANNOUNCED} events announced {self._announced.erased}",
                index=self._first, last=self._last, note=told,
            )  # fmt: skip
