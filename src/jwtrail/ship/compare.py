"""Documents in an engine against the trail: each must give the entry that the trail has at its index.

The entry of a document is recomputed from what the document says (docs/formats/entry.md): from its public fields, and from
its salt and personal fields, or what an erasure left of them. Nothing that the engine claims about it is believed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.ecs.entry import ENTRY_VERSION, commit
from jwtrail.elastic.client import Answer, Engine
from jwtrail.elastic.streams import pattern_of
from jwtrail.elastic.template import PROOF_FIELDS
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.wal import b64

__all__ = ["MAX_FINDINGS", "WINDOW", "Compared", "Comparison", "Finding", "entry_of_document"]

WINDOW = 2_000
"""Indexes compared at a time: what is in memory."""

MAX_HITS = 10_000
"""Documents of one answer; a window that has more is cut in halves, and a single index that has more is told by its first."""

MAX_FINDINGS = 1_000
"""Told one by one; beyond it they are counted."""

COMMITMENT, SALT = PROOF_FIELDS

Kind = Literal["altered", "missing", "doubled", "foreign"]


class Finding(Struct, frozen=True):
    """One thing that is not as the trail says.

    Args:
        kind: `altered`: its content is not that of the event; `missing`: no document has the event; `doubled`: further
            documents of the same event; `foreign`: a document of no event of this trail.
        sequence: the index; -1 for a document without one.
        id: of the document, or that it should have.
        where: the backing index; empty when missing.
        what: in words.
    """

    kind: Kind
    sequence: int
    id: str
    where: str
    what: str


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


class _Hit(Struct, frozen=True):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: dict[str, Any] = msgspec.field(name="_source")
    sort: tuple[int | float | None, ...] = ()

    @property
    def place(self) -> int:
        """The index at which the engine has it; -1 when it does not say."""
        return -1 if not self.sort or self.sort[0] is None else int(self.sort[0])


class _Hits(Struct, frozen=True):
    hits: list[_Hit] = []


class _Answer(Struct, frozen=True):
    hits: _Hits = _Hits()


def entry_of_document(doc: dict[str, Any]) -> bytes:
    """The entry that a document gives.

    Raises:
        ValueError: none: a field nobody knows, no id, or neither salt nor what an erasure leaves, or both.
    """
    parts: dict[str, dict[str, Any]] = {"public": {}, "personal": {}, "derived": {}}
    for name, value in doc.items():
        if name in PROOF_FIELDS:
            continue
        if name not in CATALOGUE:
            raise ValueError(f"a field that no event has: {name[:100]}")
        parts[CATALOGUE[name].klass][name] = value
    identity = bytes.fromhex(str(doc.get("event.id", "")).replace("-", ""))
    if len(identity) != 16:
        raise ValueError("event.id is no UUID")
    if COMMITMENT not in doc:
        salt = bytes.fromhex(str(doc.get(SALT, "")))
        return (
            ENTRY_VERSION
            + identity
            + b"".join(commit(_canonical(parts["public"]), _canonical(parts["personal"]), salt))
        )
    if SALT in doc or parts["personal"]:
        raise ValueError("it is erased and tells of a person all the same")
    return (
        ENTRY_VERSION
        + identity
        + sha256(_canonical(parts["public"])).digest()
        + bytes.fromhex(str(doc[COMMITMENT]))
    )


def _canonical(part: dict[str, Any]) -> bytes:
    """RFC 8785, for values as events have them."""
    return msgspec.json.encode(part, order="sorted")


class Comparison:
    """Compares one namespace of an engine with one trail; holds one window at a time.

    Args:
        engine: asked only.
        namespace: last part of the streams' names.
        reader: the trail, whose entries are recomputed too (`jwtrail trail verify` says whether they are what was signed).
        refused: indexes that the engine refused.
    """

    def __init__(self, engine: Engine, namespace: str, reader: TrailReader, refused: frozenset[int]) -> None:
        self._engine = engine
        self._path = f"/{pattern_of(namespace)}"
        self._reader = reader
        self._refused = refused
        self._counts: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._good = 0

    def run(self, first: int, last: int, tell: Callable[[int, int], None] | None = None) -> Compared:
        """Compare the indexes from `first` to `last`, both included; all of them must be in the trail.

        Args:
            tell: called with (indexes compared, indexes to compare).

        Raises:
            EngineError: the engine cannot be asked.
            CorruptionError: the trail cannot be read.
        """
        self._ask("/_refresh", {})
        for low in range(first, last + 1, WINDOW):
            high = min(last, low + WINDOW - 1)
            self._window(low, high)
            if tell is not None:
                tell(high + 1 - first, last + 1 - first)
        self._strangers()
        within = sum(1 for one in self._refused if first <= one <= last)
        return Compared(
            first=first, last=last, good=self._good, refused=within,
            counts=dict(self._counts), findings=tuple(self._findings),
        )  # fmt: skip

    def _window(self, low: int, high: int) -> None:
        hits = self._hits({"range": {"event.sequence": {"gte": low, "lte": high}}})
        if len(hits) == MAX_HITS and high > low:
            middle = (low + high) // 2
            self._window(low, middle)
            self._window(middle + 1, high)
            return
        entries = self._reader.entries(low, high)
        by_index: dict[int, list[_Hit]] = {}
        for hit in hits:
            by_index.setdefault(hit.place, []).append(hit)
        absent = []
        for sequence, entry in enumerate(entries, low):
            found = self._judge(sequence, entry, by_index.get(sequence, []))
            if not found and sequence not in self._refused:
                absent.append((sequence, b64(sha256(entry).digest()).decode()))
        self._missing(absent)

    def _judge(self, sequence: int, entry: bytes, hits: Sequence[_Hit]) -> bool:
        """Whether a document of this event is there, good or not."""
        wanted = b64(sha256(entry).digest()).decode()
        own = [hit for hit in hits if hit.id == wanted or _entry(hit)[0] == entry]
        for hit in hits:
            if hit not in own:
                self._find("foreign", sequence, hit, "it is not the event with this index")
        if not own:
            return False
        for hit in own[1:]:
            self._find("doubled", sequence, hit, f"there is one in {own[0].index}")
        wrong = _wrong(own[0], sequence, entry, wanted)
        if wrong:
            self._find("altered", sequence, own[0], wrong)
        else:
            self._good += 1
        return True

    def _missing(self, absent: Sequence[tuple[int, str]]) -> None:
        """Missing at its index: gone, or there under another one."""
        if not absent:
            return
        elsewhere = {hit.id: hit for hit in self._hits({"ids": {"values": [name for _, name in absent]}})}
        for sequence, name in absent:
            hit = elsewhere.get(name)
            if hit is None:
                self._note(Finding("missing", sequence, name, "", "no document has this event"))
            else:
                said = hit.source.get("event.sequence")
                self._find("altered", sequence, hit, f"its event.sequence says {said!r}"[:100])

    def _strangers(self) -> None:
        """Documents before the first index or beyond the last one, or without an index."""
        size = self._reader.size
        before = {"range": {"event.sequence": {"lt": 0}}}
        beyond = {"range": {"event.sequence": {"gte": size}}}
        nowhere = {"bool": {"must_not": [{"exists": {"field": "event.sequence"}}]}}
        for hit in (*self._hits(before), *self._hits(beyond), *self._hits(nowhere)):
            sequence = hit.source.get("event.sequence")
            at = sequence if isinstance(sequence, int) else -1
            self._find("foreign", at, hit, "the trail has no such index")

    def _find(self, kind: Kind, sequence: int, hit: _Hit, what: str) -> None:
        self._note(Finding(kind, sequence, hit.id, hit.index, what))

    def _note(self, finding: Finding) -> None:
        self._counts[finding.kind] += 1
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(finding)

    def _hits(self, query: dict[str, Any]) -> list[_Hit]:
        body = {
            "size": MAX_HITS, "query": query, "track_total_hits": False,
            "sort": [{"event.sequence": {"order": "asc", "unmapped_type": "long"}}],
        }  # fmt: skip
        found: _Answer = self._ask("/_search", body).read(_Answer)
        return found.hits.hits

    def _ask(self, what: str, body: dict[str, Any]) -> Answer:
        options = "ignore_unavailable=true&allow_no_indices=true"
        if what == "/_search":
            options += "&allow_partial_search_results=false"
        return self._engine.request("POST", f"{self._path}{what}?{options}", body=body or None, safe=True)


def _entry(hit: _Hit) -> tuple[bytes, str]:
    """The entry that a document gives, or empty and why not."""
    try:
        return entry_of_document(hit.source), ""
    except (ValueError, TypeError) as error:
        return b"", str(error)


def _wrong(hit: _Hit, sequence: int, entry: bytes, wanted: str) -> str:
    """What is wrong with a document; empty when nothing is."""
    made, why = _entry(hit)
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
