"""Proofs of inclusion and consistency (RFC 9162 sections 2.1.3 and 2.1.4), made and checked strictly."""

from collections.abc import Callable, Sequence

from jwtrail.errors import ProofError
from jwtrail.tlog.merkle import EMPTY_ROOT, HASH_SIZE, TILE_WIDTH, node_hash, root_of, split

__all__ = [
    "MAX_PATH",
    "NodeReader",
    "consistency_proof",
    "inclusion_proof",
    "root_at",
    "verify_consistency",
    "verify_inclusion",
]

MAX_PATH = 64
"""Hashes of one path: a tree of 2^64 leaves is 64 high, and sizes are unsigned 64-bit numbers in the formats."""

NodeReader = Callable[[int, int, int], Sequence[bytes]]
"""(level, first, count) -> that many hashes of tile level `level`, from number `first`; level 0 are leaf hashes.

Only nodes whose leaves all exist are asked for, and never more than 256 of one tile at once.
"""


def root_at(low: int, high: int, read: NodeReader) -> bytes:
    """Root over the leaves `[low, high)`, from the largest whole nodes that tiles hold.

    `low` must be a multiple of a power of two at least `high - low`, as every node of a tree's is.
    """
    count = high - low
    if count == 0:
        return EMPTY_ROOT
    level, span = 0, 1
    while span * TILE_WIDTH <= count:
        level, span = level + 1, span * TILE_WIDTH
    whole = count // span
    nodes = list(read(level, low // span, whole))
    if whole * span < count:
        nodes.append(root_at(low + whole * span, high, read))
    return root_of(nodes)


def inclusion_proof(index: int, size: int, read: NodeReader) -> tuple[bytes, ...]:
    """The audit path of a leaf in the tree of this size, leaf side first.

    Raises:
        ProofError: the index is not in the tree.
    """
    if not 0 <= index < size:
        raise ProofError(f"index {index} is not in a tree of size {size}")
    path = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(root_at(middle, high, read))
            high = middle
        else:
            path.append(root_at(low, middle, read))
            low = middle
    return tuple(reversed(path))


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check an audit path (RFC 9162 section 2.1.3.2).

    Raises:
        ProofError: the path is short, long or does not lead from the leaf to the root.
    """
    if not 0 <= index < size:
        raise ProofError(f"index {index} is not in a tree of size {size}")
    _check_path(path)
    value = leaf
    for sibling, left in zip(path, _sides(index, size - 1, len(path)), strict=True):
        value = node_hash(sibling, value) if left else node_hash(value, sibling)
    if value != root:
        raise ProofError("the path leads to another root")


def consistency_proof(old: int, new: int, read: NodeReader) -> tuple[bytes, ...]:
    """Proof that the tree of size `old` is a beginning of the tree of size `new` (RFC 9162 section 2.1.4.1).

    Raises:
        ProofError: `old` is zero or above `new`.
    """
    if not 0 < old <= new:
        raise ProofError(f"there is no consistency proof from size {old} to {new}")
    path = []
    low, high, known = 0, new, True  # known: the verifier has this node as the old root
    while old != high:
        middle = low + split(high - low)
        if old <= middle:
            path.append(root_at(middle, high, read))
            high = middle
        else:
            path.append(root_at(low, middle, read))
            low, known = middle, False
    if not known:
        path.append(root_at(low, high, read))
    return tuple(reversed(path))


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check a consistency proof (RFC 9162 section 2.1.4.2).

    Raises:
        ProofError: `old` is above `new` (a rollback), the proof is short or long, or a root differs (a fork).
    """
    if old > new:
        raise ProofError(f"the tree went back from size {old} to {new}")
    _check_path(path)
    if old in (0, new):
        _check_unmoved(old, old_root, new_root, path)
        return
    nodes = list(path)
    if old & (old - 1) == 0:  # the old root is itself a node of the new tree, so the proof leaves it out
        nodes.insert(0, old_root)
    if not nodes:
        raise ProofError("the path is too short")
    trailing = (~(old - 1) & old).bit_length() - 1  # whole levels below the last node of the old tree
    sides = _sides((old - 1) >> trailing, (new - 1) >> trailing, len(nodes) - 1)
    from_old = from_new = nodes[0]
    for node, left in zip(nodes[1:], sides, strict=True):
        if left:
            from_old, from_new = node_hash(node, from_old), node_hash(node, from_new)
        else:
            from_new = node_hash(from_new, node)
    if from_old != old_root:
        raise ProofError("the old tree is not a beginning of the new one")
    if from_new != new_root:
        raise ProofError("the proof leads to another root")


def _sides(node: int, last: int, count: int) -> list[bool]:
    """For each sibling on the way up from `node` to the root, whether it stands left. `last` is the row's last node.

    This is the walk that sections 2.1.3.2 and 2.1.4.2 have in common (their fn and sn).
    """
    sides = []
    for _ in range(count):
        if last == 0:
            raise ProofError("the path is too long")
        left = bool(node & 1) or node == last
        if left:
            while node and not node & 1:  # the last node of an odd row is lifted unchanged
                node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
        sides.append(left)
    if last:
        raise ProofError("the path is too short")
    return sides


def _check_unmoved(old: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    if path:
        raise ProofError("the path is too long")
    if old_root != (new_root if old else EMPTY_ROOT):
        raise ProofError("two roots for one size")


def _check_path(path: Sequence[bytes]) -> None:
    if len(path) > MAX_PATH:
        raise ProofError(f"the path has {len(path)} hashes, more than {MAX_PATH}")
    if any(len(node) != HASH_SIZE for node in path):
        raise ProofError(f"a hash of the path is not {HASH_SIZE} bytes")
