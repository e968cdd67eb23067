"""The root of the tree from an engine's documents alone: whoever has a signed checkpoint needs nothing else of the trail.

Each document gives its entry and its place. When their root is the one that was signed, they are, all of them and in this
order, what the trail held at that size. Otherwise what can be named without the trail is: no document, several, or one
that contradicts itself. Of one that was altered together with its hash only the root tells.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from jwtrail.ship.compare import Finding, Findings
from jwtrail.ship.shipped import Hit, ShippedDocuments, hash_of
from jwtrail.tlog.checkpoint import Checkpoint
from jwtrail.tlog.merkle import Tree

__all__ = ["Rebuilt", "rebuilt"]


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What came of it.

    Args:
        size: of the tree that was signed.
        signed: whether the root is the signed one; None when documents are missing and there is none.
        good: indexes with a document that agrees with itself.
        counts: findings by kind.
        findings: the first `compare.MAX_FINDINGS`.
    """

    size: int
    signed: bool | None
    good: int
    counts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return self.signed is True and not self.counts


def rebuilt(
    documents: ShippedDocuments, checkpoint: Checkpoint, tell: Callable[[int, int], None] | None = None
) -> Rebuilt:
    """Grow the tree anew.

    Args:
        documents: of the engine; those beyond the checkpoint are left aside.
        checkpoint: whose signature was checked.
        tell: called with (indexes read, indexes to read).

    Raises:
        EngineError: the engine cannot be asked.
    """
    tree, found, good = Tree(), Findings(), 0
    documents.refresh()
    for low, high, hits in documents.windows(0, checkpoint.size - 1):
        entries = [_entry(sequence, hits.get(sequence, []), found) for sequence in range(low, high + 1)]
        whole = [entry for entry in entries if entry]
        good += len(whole)
        if good == high + 1:  # nothing was missing so far
            tree.extend(whole)
        if tell is not None:
            tell(high + 1, checkpoint.size)
    for hit in documents.strangers(None):
        found.document("foreign", -1, hit, "it has no index")
    return Rebuilt(
        size=checkpoint.size,
        signed=tree.root() == checkpoint.root if good == checkpoint.size else None,
        good=good,
        counts=dict(found.counts),
        findings=tuple(found.told),
    )


def _entry(sequence: int, hits: Sequence[Hit], found: Findings) -> bytes:
    """The entry at an index; empty when no document gives it."""
    if not hits:
        found.add(Finding("missing", sequence, "", "", "no document has this index"))
        return b""
    judged = [(hit, *_read(hit, sequence)) for hit in hits]
    judged.sort(key=lambda one: bool(one[2]))  # those that agree with themselves first
    first, entry, wrong = judged[0]
    if wrong:
        found.document("altered", sequence, first, wrong)
    for hit, other, _ in judged[1:]:
        same = "there is one" if other == entry else "another has this index"
        found.document("doubled", sequence, hit, f"{same} in {first.index}")
    return b"" if wrong else entry


def _read(hit: Hit, sequence: int) -> tuple[bytes, str]:
    """The entry of a document, and what in it contradicts the rest of it."""
    entry, why = hit.entry
    if why:
        return b"", why
    if hit.source.get("event.hash") != hash_of(entry):
        return entry, "its event.hash is not that of its content"
    if hit.id != hash_of(entry):
        return entry, "it lies under an id that is not its hash"
    if hit.source.get("event.sequence") != sequence:
        return entry, f"its event.sequence says {hit.source.get('event.sequence')!r}"[:100]
    return entry, ""
