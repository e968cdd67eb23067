"""What an engine has of the trail, read back: documents by index, and the entry that each gives.

The entry of a document is recomputed from what the document says (docs/formats/entry.md): from its public fields, and from
its salt and personal fields, or what an erasure left of them. Nothing that the engine claims about it is believed.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.ecs.entry import ENTRY_VERSION, commit
from jwtrail.elastic.client import Answer, Engine
from jwtrail.elastic.streams import pattern_of
from jwtrail.elastic.template import PROOF_FIELDS
from jwtrail.trail.wal import b64

__all__ = ["WINDOW", "Hit", "ShippedDocuments", "entry_of_document", "hash_of"]

WINDOW = 2_000
"""Indexes asked for at a time: what is in memory."""

MAX_HITS = 10_000
"""Documents of one answer; a window that has more is cut in halves, and a single index that has more is told by its first."""

COMMITMENT, SALT = PROOF_FIELDS

Window = tuple[int, int, dict[int, list["Hit"]]]
"""First index, last index, and the documents that claim each."""


class Hit(Struct, frozen=True):
    """One document, and where it lies."""

    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: dict[str, Any] = msgspec.field(name="_source")
    sort: tuple[int | float | None, ...] = ()

    @property
    def place(self) -> int:
        """The index at which the engine has it; -1 when it does not say."""
        return -1 if not self.sort or self.sort[0] is None else int(self.sort[0])

    @property
    def entry(self) -> tuple[bytes, str]:
        """The entry that it gives, or empty and why not."""
        try:
            return entry_of_document(self.source), ""
        except (ValueError, TypeError) as error:
            return b"", str(error)


class _Hits(Struct, frozen=True):
    hits: list[Hit] = []


class _Answer(Struct, frozen=True):
    hits: _Hits = _Hits()


class ShippedDocuments:
    """The documents of one namespace.

    Args:
        engine: asked only.
        namespace: last part of the streams' names.

    Raises:
        EngineError: by every method: the engine cannot be asked.
    """

    def __init__(self, engine: Engine, namespace: str) -> None:
        self._engine = engine
        self._path = f"/{pattern_of(namespace)}"

    def refresh(self) -> None:
        """Make what was written searchable; who may only read sees what was written until a second ago."""
        self._ask("/_refresh", None, allow=(403,))

    def windows(self, first: int, last: int) -> Iterator[Window]:
        """All documents that claim an index from `first` to `last`, both included, in order."""
        for low in range(first, last + 1, WINDOW):
            yield from self._window(low, min(last, low + WINDOW - 1))

    def under(self, ids: list[str]) -> dict[str, Hit]:
        """Those with these ids, wherever they claim to be."""
        return {hit.id: hit for hit in self._hits({"ids": {"values": ids}})}

    def strangers(self, size: int | None) -> list[Hit]:
        """Those that have no index or one below 0, and those from `size` on if it is given."""
        queries: list[dict[str, Any]] = [
            {"range": {"event.sequence": {"lt": 0}}},
            {"bool": {"must_not": [{"exists": {"field": "event.sequence"}}]}},
        ]
        if size is not None:
            queries.append({"range": {"event.sequence": {"gte": size}}})
        return [hit for query in queries for hit in self._hits(query)]

    def _window(self, low: int, high: int) -> Iterator[Window]:
        hits = self._hits({"range": {"event.sequence": {"gte": low, "lte": high}}})
        if len(hits) == MAX_HITS and high > low:
            middle = (low + high) // 2
            yield from self._window(low, middle)
            yield from self._window(middle + 1, high)
            return
        found: dict[int, list[Hit]] = {}
        for hit in hits:
            found.setdefault(hit.place, []).append(hit)
        yield low, high, found

    def _hits(self, query: dict[str, Any]) -> list[Hit]:
        body = {
            "size": MAX_HITS, "query": query, "track_total_hits": False,
            "sort": [{"event.sequence": {"order": "asc", "unmapped_type": "long"}}],
        }  # fmt: skip
        return self._ask("/_search", body).read(_Answer).hits.hits

    def _ask(self, what: str, body: dict[str, Any] | None, allow: tuple[int, ...] = ()) -> Answer:
        options = "ignore_unavailable=true&allow_no_indices=true"
        if what == "/_search":
            options += "&allow_partial_search_results=false"
        return self._engine.request(
            "POST", f"{self._path}{what}?{options}", body=body, allow=allow, safe=True
        )


def hash_of(entry: bytes) -> str:
    """`event.hash` of an entry."""
    return b64(sha256(entry).digest()).decode()


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
