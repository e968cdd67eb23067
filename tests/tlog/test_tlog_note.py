"""Notes, checkpoints, tiles and travelling proofs: what is accepted, and that nothing else is."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.errors import IntegrityError, NoteError, ProofError
from jwtrail.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from jwtrail.tlog.merkle import leaf_hash
from jwtrail.tlog.note import MAX_NOTE, Signer, Verifier, open_note, sign_note
from jwtrail.tlog.proof import inclusion_proof
from jwtrail.tlog.tiles import number_path, tile_path
from jwtrail.tlog.tlogproof import TlogProof, verify_proof

# The example of golang.org/x/mod/sumdb/note, which the C2SP format was taken from.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01"))
HEAD = Checkpoint("example.org/log", 20, bytes(range(32)))


def test_the_known_note_opens():
    assert open_note(NOTE.encode(), [Verifier.parse(PETER)]).startswith("If you think")
    assert str(Verifier.parse(PETER)) == PETER
    with pytest.raises(NoteError, match="wrong"):
        open_note(NOTE.replace("answer", "anwser").encode(), [Verifier.parse(PETER)])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "a",
        "a+b+c",
        PETER[:-1],
        PETER.replace("c74f20a3", "c74f20a4"),
        "a b" + PETER,
        PETER.replace("AR", "BR"),
    ],
)
def test_malformed_verifier_keys(vkey):
    with pytest.raises(NoteError):
        Verifier.parse(vkey)


def test_signers_that_are_not_known_are_ignored_but_one_must_be():
    note = sign_note("text\n", [OTHER, KEY]).encode()
    assert open_note(note, [KEY.verifier]) == "text\n"
    with pytest.raises(NoteError, match="no known key"):
        open_note(sign_note("text\n", [OTHER]).encode(), [KEY.verifier])


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n[:-1],
        lambda n: n + b"x",
        lambda n: n.replace(b"\n\n", b"\n"),
        lambda n: n.replace(b"\xe2\x80\x94", b"-"),
        lambda n: n.replace(b"20\n", b"21\n"),
        lambda n: n.replace(b"20\n", b"020\n"),
        lambda n: n + b"\n",
        lambda n: b"\xff" + n,
        lambda n: n + n.rpartition(b"\n\n")[2] * 70,
        lambda _: b"a" * (MAX_NOTE + 1),
        lambda _: b"",
    ],
)
def test_a_changed_checkpoint_is_refused(change):
    note = sign_checkpoint(HEAD, KEY)
    assert open_checkpoint(note, KEY.verifier) == HEAD
    with pytest.raises(NoteError):
        open_checkpoint(change(note), KEY.verifier)


@given(st.binary(max_size=300))
def test_noise_is_refused_with_the_one_error(noise):
    with pytest.raises(NoteError):
        open_note(noise, [KEY.verifier])
    with pytest.raises(IntegrityError):
        TlogProof.parse(noise.decode("latin-1"))


@given(st.data())
def test_one_flipped_bit_is_never_accepted(data):
    note = bytearray(sign_checkpoint(HEAD, KEY))
    at = data.draw(st.integers(0, len(note) * 8 - 1))
    note[at // 8] ^= 1 << at % 8
    with pytest.raises(NoteError):
        open_checkpoint(bytes(note), KEY.verifier)


@pytest.mark.parametrize("size", ["-1", "01", "+1", "1 ", "", "1e3", "9" * 20, "\u0661"])
def test_one_spelling_of_a_size(size):
    root = base64.b64encode(bytes(32)).decode()
    with pytest.raises(NoteError):
        Checkpoint.parse(f"o\n{size}\n{root}\n")


def test_checkpoints_keep_extension_lines_and_are_bound_to_their_origin():
    text = HEAD.text + "more\n"
    assert Checkpoint.parse(text).extensions == ("more",)
    assert Checkpoint.parse(text).text == text
    with pytest.raises(NoteError, match="cannot sign"):
        sign_checkpoint(Checkpoint("else", 1, bytes(32)), KEY)
    foreign = sign_note(Checkpoint("else", 1, bytes(32)).text, [KEY]).encode()
    with pytest.raises(NoteError, match="is of else"):
        open_checkpoint(foreign, KEY.verifier)
    with pytest.raises(NoteError, match="not 32"):
        Checkpoint.parse("o\n1\nAAAA\n")


def test_tile_paths():
    assert number_path(1_234_067) == "x001/x234/067"
    assert number_path(0) == "000"
    assert number_path(1000) == "x001/000"
    assert tile_path(1, 5) == "1/005"
    assert tile_path(0, 1_234, 17) == "0/x001/234.p/17"
    for wrong in ((64, 0, 1), (0, 0, 0), (0, 0, 257), (-1, 0, 1), (0, -1, 1)):
        with pytest.raises(ValueError):
            tile_path(*wrong)


def _proof():
    hashes = [leaf_hash(bytes([number])) for number in range(20)]
    read = lambda _level, first, count: hashes[first : first + count]  # noqa: E731
    from jwtrail.tlog.proof import root_at

    head = Checkpoint("example.org/log", 20, root_at(0, 20, read))
    return TlogProof(7, inclusion_proof(7, 20, read), sign_checkpoint(head, KEY)).format()


def test_a_proof_travels_alone():
    text = _proof()
    assert TlogProof.parse(text).format() == text
    assert verify_proof(text, bytes([7]), KEY.verifier).size == 20
    with pytest.raises(ProofError):
        verify_proof(text, bytes([8]), KEY.verifier)
    with pytest.raises(NoteError):
        verify_proof(text, bytes([7]), OTHER.verifier)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("@v1", "@v2"),
        lambda t: t.replace("index 7", "index 07"),
        lambda t: t.replace("index 7", "index 8"),
        lambda t: t.replace("index 7", "index 20"),
        lambda t: t.replace("index 7\n", "index 7\nAAAA\n"),
        lambda t: t.replace("index 7\n", "index 7\n" + "A" * 43 + "=\n"),
        lambda t: t.replace("index 7\n", "index 7\n" + ("A" * 43 + "=\n") * 70),
        lambda t: t + "x" * 100_000,
        lambda t: t.replace("\n\n", "\n", 1),
    ],
)
def test_a_changed_proof_is_refused(change):
    with pytest.raises((ProofError, NoteError)):
        verify_proof(change(_proof()), bytes([7]), KEY.verifier)
