"""The tree against a naive reading of RFC 9162 section 2.1, and the known answers of RFC 6962's reference log."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.errors import ProofError
from jwtrail.tlog.merkle import EMPTY_ROOT, Tree, leaf_hash, node_hash, partial_widths, root_of
from jwtrail.tlog.proof import (
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)

# Inputs and roots of the tests of the certificate-transparency reference implementation.
LEAVES = [bytes.fromhex(h) for h in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive(hashes):
    """RFC 9162 section 2.1.1, word for word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(naive(hashes[:k]), naive(hashes[k:]))


def leaves(count):
    return [leaf_hash(str(number).encode()) for number in range(count)]


def reader(hashes):
    """Nodes of each tile level, from leaf hashes."""
    levels = [list(hashes)]
    while len(levels[-1]) >= 256:
        row = levels[-1]
        levels.append([naive(row[at : at + 256]) for at in range(0, len(row) - 255, 256)])

    def read(level, first, count):
        found = levels[level][first : first + count]
        assert len(found) == count
        assert first // 256 == (first + count - 1) // 256
        return found

    return read


ALL = leaves(70_000)
READ = reader(ALL)


def test_known_roots():
    tree = Tree()
    assert tree.root() == EMPTY_ROOT == naive([])
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.append(leaf_hash(leaf))
        assert tree.root().hex() == root


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 69_999])
def test_every_shape_of_tree(size):
    tiles = {}
    tree = Tree(lambda level, number, data: tiles.__setitem__((level, number), data))
    for leaf in ALL[:size]:
        tree.append(leaf)
    assert tree.root() == naive(ALL[:size]) == root_at(0, size, READ)
    assert len([key for key in tiles if key[0] == 0]) == size // 256
    for (level, number), data in tiles.items():
        assert data == b"".join(READ(level, number * 256, 256))
    rows = [tree.partial(level) for level in range(tree.levels)]
    again = Tree.restore(size, rows)
    again.append(ALL[size])
    tree.append(ALL[size])
    assert again.root() == tree.root()


def test_restore_refuses_rows_of_another_size():
    with pytest.raises(ValueError, match="widths"):
        Tree.restore(5, [ALL[:4]])
    assert partial_widths(65_537) == [1, 0, 1]


@given(st.integers(1, 69_999), st.data())
def test_inclusion(size, data):
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_proof(index, size, READ)
    root = root_at(0, size, READ)
    verify_inclusion(index, size, ALL[index], path, root)
    for wrong in (path[:-1], (*path, ALL[0]), path[1:]):
        if wrong != path:
            with pytest.raises(ProofError):
                verify_inclusion(index, size, ALL[index], wrong, root)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, ALL[index + 1], path, root)


@given(st.integers(1, 69_999), st.data())
def test_consistency(new, data):
    old = data.draw(st.integers(1, new))
    path = consistency_proof(old, new, READ)
    old_root, new_root = root_at(0, old, READ), root_at(0, new, READ)
    verify_consistency(old, new, old_root, new_root, path)
    for wrong in ((*path, ALL[0]), path[:-1], (ALL[1], *path[1:])):
        if wrong != path:
            with pytest.raises(ProofError):
                verify_consistency(old, new, old_root, new_root, wrong)
    with pytest.raises(ProofError):
        verify_consistency(old, new, ALL[3], new_root, path)


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 40), st.lists(st.sampled_from(ALL[:4]), max_size=6)
)
def test_no_made_up_path_is_accepted(size, old, index, path):
    root = root_at(0, size, READ)
    if index >= size or tuple(path) != inclusion_proof(index, size, READ):
        with pytest.raises(ProofError):
            verify_inclusion(index, size, leaf_hash(b"not there"), path, root)
    if old > size:
        with pytest.raises(ProofError, match="went back"):
            verify_consistency(old, size, ALL[0], root, path)


def test_bounds():
    with pytest.raises(ProofError, match="not in a tree"):
        inclusion_proof(5, 5, READ)
    with pytest.raises(ProofError, match="no consistency"):
        consistency_proof(0, 5, READ)
    with pytest.raises(ProofError, match="more than"):
        verify_inclusion(0, 2, ALL[0], [ALL[0]] * 65, ALL[0])
    with pytest.raises(ProofError, match="not 32 bytes"):
        verify_inclusion(0, 2, ALL[0], [b"x"], ALL[0])
    with pytest.raises(ProofError, match="two roots"):
        verify_consistency(4, 4, ALL[0], ALL[1], ())
    verify_consistency(0, 4, EMPTY_ROOT, ALL[1], ())
    assert root_of([]) == EMPTY_ROOT


@pytest.mark.parametrize("cuts", [(0, 1, 256, 700), (255, 257, 513, 700), (700,)])
def test_entries_added_together_give_the_same_tree(cuts):
    entries = [str(number).encode() for number in range(700)]
    tiles, expected = [], []
    tree, one_by_one = Tree(lambda *tile: tiles.append(tile)), Tree(lambda *tile: expected.append(tile))
    for low, high in zip((0, *cuts), cuts, strict=False):
        tree.extend(entries[low:high])
    for entry in entries:
        one_by_one.append(leaf_hash(entry))
    assert (tree.size, tree.root(), tiles) == (700, one_by_one.root(), expected)
