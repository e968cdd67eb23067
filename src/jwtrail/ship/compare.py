"""Documents in an engine against the trail: each must give the entry that the trail has at its index."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from jwtrail.ship.shipped import Hit, ShippedDocuments, hash_of

__all__ = ["MAX_FINDINGS", "Compared", "Comparison", "Entries", "Finding", "Findings"]

MAX_FINDINGS = 1_000
"""Told one by one; beyond it they are counted."""

Kind = Literal["altered", "missing", "doubled", "foreign"]


class Finding(Struct, frozen=True):
    """One thing that is not as the trail says.

    Args:
        kind: `altered`: its content is not that of the event; `missing`: no document has the event; `doubled`: further
            documents of the same event; `foreign`: a document of no event of this trail.
        sequence: the index; -1 for a document without one.
        id: of the document, or that it should have; empty when nobody knows.
        where: the backing index; empty when missing.
        what: in words.
    """

    kind: Kind
    sequence: int
    id: str
    where: str
    what: str


class Findings:
    """Those that are told, and how many there are of each kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.told: list[Finding] = []

    def document(self, kind: Kind, sequence: int, hit: Hit, what: str) -> None:
        """Something is wrong with a document."""
        self.add(Finding(kind, sequence, hit.id, hit.index, what))

    def add(self, finding: Finding) -> None:
        self.counts[finding.kind] += 1
        if len(self.told) < MAX_FINDINGS:
            self.told.append(finding)


class Compared(Struct, frozen=True, kw_only=True):
    """What came of it.

    Args:
        first: index from which on was compared.
        last: the last one; below `first` when there was nothing.
        good: events whose document is as the trail says.
        refused: events that the engine refused when they were shipped, and therefore lacks.
        counts: findings by kind.
        findings: the first `MAX_FINDINGS`.
    """

    first: int
    last: int
    good: int
    refused: int
    counts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.counts


class Entries(Protocol):
    """The entries of a trail by index: a `TrailReader`, or a `LogCopy`."""

    @property
    def size(self) -> int:
        """How many there are."""

    def entries(self, first: int, last: int) -> list[bytes]:
        """Those from `first` to `last`, both included."""


class Comparison:
    """Compares one namespace of an engine with one trail; holds one window at a time.

    Args:
        documents: of the engine.
        reader: the trail, whose entries are recomputed too (`jwtrail trail verify` says whether they are what was signed), or
            a copy of its log.
        refused: indexes that the engine refused.
        goes_on: the trail may be longer than `reader` knows; documents behind its end are left aside.
    """

    def __init__(
        self,
        documents: ShippedDocuments,
        reader: Entries,
        refused: frozenset[int] = frozenset(),
        *,
        goes_on: bool = False,
    ) -> None:
        self._documents = documents
        self._reader = reader
        self._refused = refused
        self._goes_on = goes_on
        self._found = Findings()
        self._good = 0

    def run(self, first: int, last: int, tell: Callable[[int, int], None] | None = None) -> Compared:
        """Compare the indexes from `first` to `last`, both included; all of them must be in the trail.

        Args:
            tell: called with (indexes compared, indexes to compare).

        Raises:
            EngineError: the engine cannot be asked.
            CorruptionError: the trail cannot be read.
        """
        self._documents.refresh()
        for low, high, hits in self._documents.windows(first, last):
            self._window(low, high, hits)
            if tell is not None:
                tell(high + 1 - first, last + 1 - first)
        for hit in self._documents.strangers(None if self._goes_on else self._reader.size):
            said = hit.source.get("event.sequence")
            at = said if isinstance(said, int) else -1
            self._found.document("foreign", at, hit, "the trail has no such index")
        within = sum(1 for one in self._refused if first <= one <= last)
        return Compared(
            first=first, last=last, good=self._good, refused=within,
            counts=dict(self._found.counts), findings=tuple(self._found.told),
        )  # fmt: skip

    def _window(self, low: int, high: int, hits: dict[int, list[Hit]]) -> None:
        absent = []
        for sequence, entry in enumerate(self._reader.entries(low, high), low):
            found = self._judge(sequence, entry, hits.get(sequence, []))
            if not found and sequence not in self._refused:
                absent.append((sequence, hash_of(entry)))
        self._missing(absent)

    def _judge(self, sequence: int, entry: bytes, hits: Sequence[Hit]) -> bool:
        """Whether a document of this event is there, good or not."""
        wanted = hash_of(entry)
        own = [hit for hit in hits if hit.id == wanted or hit.entry[0] == entry]
        for hit in hits:
            if hit not in own:
                self._found.document("foreign", sequence, hit, "it is not the event with this index")
        if not own:
            return False
        for hit in own[1:]:
            self._found.document("doubled", sequence, hit, f"there is one in {own[0].index}")
        wrong = _wrong(own[0], sequence, entry, wanted)
        if wrong:
            self._found.document("altered", sequence, own[0], wrong)
        else:
            self._good += 1
        return True

    def _missing(self, absent: Sequence[tuple[int, str]]) -> None:
        """Missing at its index: gone, or there under another one."""
        if not absent:
            return
        elsewhere = self._documents.under([name for _, name in absent])
        for sequence, name in absent:
            hit = elsewhere.get(name)
            if hit is None:
                self._found.add(Finding("missing", sequence, name, "", "no document has this event"))
            else:
                said = hit.source.get("event.sequence")
                self._found.document("altered", sequence, hit, f"its event.sequence says {said!r}"[:100])


def _wrong(hit: Hit, sequence: int, entry: bytes, wanted: str) -> str:
    """What is wrong with a document; empty when nothing is."""
    made, why = hit.entry
    if why:
        return why
    if made != entry:
        return " and ".join(_differing(made, entry))
    if hit.id != wanted:
        return "it lies under an id that is not its hash"
    if hit.source.get("event.hash") != wanted:
        return "its event.hash is not that of the event"
    if hit.source.get("event.sequence") != sequence:
        return f"its event.sequence says {hit.source.get('event.sequence')!r}"[:100]
    return ""


def _differing(made: bytes, entry: bytes) -> Iterator[str]:
    for name, part in (
        ("event.id", slice(1, 17)),
        ("its public fields", slice(17, 49)),
        ("its personal fields", slice(49, 81)),
    ):
        if made[part] != entry[part]:
            yield f"{name} differ" if "fields" in name else f"{name} differs"
