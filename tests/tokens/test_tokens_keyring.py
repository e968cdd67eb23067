"""The life of a key, and what is on the disk."""

import stat
import subprocess
import sys

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tokens_forge import NOW_US

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens import Accepted, KeyRing, KeySet, Verifier, VerifyPolicy, load_jwk
from jwtrail.tokens.keyentry import PUBLISHED_S
from jwtrail.tokens.keyring import MAX_KEYS, RELOAD_NS
from jwtrail.tokens.thumbprint import thumbprint


@pytest.fixture
def clock():
    class Clock:
        now_us = NOW_US

        def __call__(self):
            return self.now_us

    return Clock()


@pytest.fixture
def ring(tmp_path, clock):
    return KeyRing(tmp_path / "keys", clock=clock)


def token(ring):
    key = ring.signing_key()
    return jwt.encode({"exp": NOW_US // 1_000_000 + 3600}, key.private, key.alg, headers={"kid": key.kid})


def states(ring):
    return [entry.state for entry in ring.entries()]


def verdict(ring, text):
    return Verifier(VerifyPolicy(), ring, cache_size=0).verify(text, NOW_US)


def see(ring):
    """Let the ring look at the directory again."""
    ring._looked_ns -= RELOAD_NS


def test_an_empty_ring_makes_its_first_key_when_it_has_to_sign(ring):
    assert ring.entries() == ()
    assert ring.jwks() == {"keys": []}
    assert ring.signing_key().alg == "EdDSA"
    assert states(ring) == ["active"]
    assert ring.ensure() == ring.entries()[0]


def test_rotation_logs_nobody_out(ring, clock):
    before = token(ring)
    ring.create()
    assert states(ring) == ["active", "next"]
    clock.now_us += PUBLISHED_S * 1_000_000
    active = ring.rotate(overlap_s=900)
    assert states(ring) == ["retiring", "active", "next"]
    assert ring.signing_key().kid == active.kid
    assert len(ring.jwks()["keys"]) == 3
    assert isinstance(verdict(ring, before), Accepted)
    assert isinstance(verdict(ring, token(ring)), Accepted)
    clock.now_us += 900_000_000
    see(ring)
    assert verdict(ring, before).reason == "kid_unknown"


def test_a_retired_key_is_gone_at_once(ring):
    before = token(ring)
    old = ring.signing_key().kid
    with pytest.raises(KeyRefusedError, match="signs at the moment"):
        ring.retire(old)
    ring.rotate(overlap_s=900, at_once=True)
    assert ring.retire(old).state == "retired"
    assert verdict(ring, before).reason == "kid_unknown"
    assert not ring._path(old).exists()
    with pytest.raises(KeyRefusedError, match="no key nobody"):
        ring.retire("nobody")


def test_keys_are_for_their_owner_only(ring, tmp_path):
    ring.signing_key()
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for file in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "HS256"])
def test_a_passphrase_encrypts_at_rest(tmp_path, algorithm):
    ring = KeyRing(tmp_path, algorithm=algorithm, passphrase=b"correct horse")
    signed = token(ring)
    (file,) = tmp_path.glob("*.pem")
    assert b"ENCRYPTED" in file.read_bytes() or b"sealed" in file.read_bytes()
    again = KeyRing(tmp_path, algorithm=algorithm, passphrase=b"correct horse")
    assert isinstance(verdict(again, signed), Accepted)
    for passphrase in (None, b"wrong"):
        with pytest.raises(KeyRefusedError, match="is the passphrase right"):
            KeyRing(tmp_path, algorithm=algorithm, passphrase=passphrase)


def test_a_plain_ring_of_secrets_never_publishes_them(tmp_path):
    ring = KeyRing(tmp_path, algorithm="HS256")
    assert isinstance(verdict(ring, token(ring)), Accepted)
    assert ring.jwks() == {"keys": []}
    with pytest.raises(KeyRefusedError) as mixed:
        ring.create("EdDSA")
    assert mixed.value.reason == "key_set_mixed"
    with pytest.raises(KeyRefusedError):
        ring.adopt(pem_of(ed25519.Ed25519PrivateKey.generate()))
    assert states(ring) == ["active"]
    assert len([*tmp_path.glob("*.pem")]) == 1  # no private key is left of what was refused


def test_what_is_published_verifies_elsewhere(ring):
    ring.create("ES256")
    ring.create("RS256")
    published = KeySet(*(load_jwk(jwk) for jwk in ring.jwks()["keys"]))
    assert isinstance(verdict(published, token(ring)), Accepted)
    assert all("d" not in jwk and jwk["use"] == "sig" for jwk in ring.jwks()["keys"])


def test_another_process_sees_a_rotation(ring, tmp_path, clock):
    ring.ensure()
    other = KeyRing(tmp_path / "keys", clock=clock)
    keys = other.current()
    ring.rotate(overlap_s=900, at_once=True)
    see(other)
    assert isinstance(verdict(other, token(ring)), Accepted)
    assert other.current() is not keys


def test_the_keys_stay_the_same_object_until_they_change(ring):
    ring.ensure()
    keys = ring.current()
    (ring._directory / "ring.json").touch()
    see(ring)
    assert ring.current() is keys


def test_a_damaged_directory_leaves_the_keys_as_they_were_but_is_refused_at_start(ring, tmp_path, clock):
    signed = token(ring)
    index = tmp_path / "keys" / "ring.json"
    index.write_text('{"version":2,"keys":[]}')
    see(ring)
    assert isinstance(verdict(ring, signed), Accepted)
    with pytest.raises(KeyRefusedError, match=r"ring\.json"):
        KeyRing(tmp_path / "keys", clock=clock)


def test_processes_that_start_together_make_one_key(tmp_path):
    code = "import sys; from jwtrail.tokens import KeyRing; print(KeyRing(sys.argv[1]).signing_key().kid)"
    started = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) for _ in range(3)
    ]
    assert len({process.communicate()[0] for process in started}) == 1


def test_a_ring_has_a_limit(ring, monkeypatch):
    monkeypatch.setattr("jwtrail.tokens.keyring.MAX_KEYS", 2)
    ring.create()
    ring.create()
    with pytest.raises(KeyRefusedError, match="more than 2 keys"):
        ring.create()
    assert MAX_KEYS == 64


# others keep the published keys


def test_a_key_signs_only_when_others_had_the_time_to_fetch_it(ring, clock):
    first = ring.ensure()
    with pytest.raises(KeyRefusedError, match="no next key") as refused:
        ring.rotate(overlap_s=900)
    assert "jwtrail keys new" in refused.value.hint
    coming = ring.create()
    held_elsewhere = KeySet(*(load_jwk(jwk) for jwk in ring.jwks()["keys"]))
    clock.now_us += (PUBLISHED_S - 1) * 1_000_000
    with pytest.raises(KeyRefusedError, match="a moment ago") as refused:
        ring.rotate(overlap_s=900)
    assert "wait 1 s" in refused.value.hint
    assert ring.signing_key().kid == first.kid
    clock.now_us += 1_000_000
    assert ring.rotate(overlap_s=900).kid == coming.kid
    assert isinstance(verdict(held_elsewhere, token(ring)), Accepted)
    with pytest.raises(KeyRefusedError, match="a moment ago"):  # twice in a row
        ring.rotate(overlap_s=900)
    ring.rotate(overlap_s=900, at_once=True)
    assert verdict(held_elsewhere, token(ring)).reason == "kid_unknown"


def test_a_secret_is_published_nowhere_and_needs_no_wait(tmp_path):
    ring = KeyRing(tmp_path, algorithm="HS256")
    first = ring.ensure()
    assert ring.rotate(overlap_s=900).kid != first.kid


def pem_of(private):
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("forget", [False, True], ids=["", "older ring"])
def test_one_key_has_one_id(ring, forget):
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()))
    entry, is_new = ring.adopt(pem, kid="theirs-1")
    assert (entry.kid, entry.state, is_new) == ("theirs-1", "active", True)
    assert entry.thumbprint == thumbprint(ring.jwks()["keys"][0])
    if forget:
        index = ring._directory / "ring.json"
        index.write_text(index.read_text().replace(entry.thumbprint, ""))
        ring = KeyRing(ring._directory, clock=ring._now_us)
    for kid in ("", "theirs-1"):
        again = ring.adopt(pem, kid=kid)
        assert (again.entry.kid, again.is_new) == ("theirs-1", False)
    with pytest.raises(KeyRefusedError, match="in the ring as theirs-1"):
        ring.adopt(pem, kid="theirs-2")
    other = pem_of(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(KeyRefusedError, match="another key is called theirs-1"):
        ring.adopt(other, kid="theirs-1")
    for kid in ("../../etc", ".hidden", "a" * 129, "a b"):
        with pytest.raises(KeyRefusedError, match="no id for a key"):
            ring.adopt(other, kid=kid)
    assert len(ring.entries()) == 1


def test_a_retired_key_does_not_come_back(ring):
    ring.ensure()
    pem = pem_of(ed25519.Ed25519PrivateKey.generate())
    ring.retire(ring.adopt(pem).entry.kid)
    with pytest.raises(KeyRefusedError, match="was retired"):
        ring.adopt(pem)
