"""Keys, verifiers and an issuer at a time that tests may move."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tokens_forge import NOW_US, POLICY, SECRET
from tokens_shop import open_shop

from jwtrail.tokens import KeySet, Rejected, Verifier, VerifyPolicy, load_secret
from jwtrail.tokens.keys import key_of


@pytest.fixture
def verifier():
    """Asks everything; the key is `SECRET`."""
    return Verifier(POLICY, KeySet(load_secret(SECRET)), cache_size=0)


@pytest.fixture
def reason_of(verifier):
    """The reason `verifier` refuses a token for, or `accepted`."""

    def judge(token, by=verifier, now_us=NOW_US):
        verdict = by.verify(token, now_us)
        return verdict.reason if isinstance(verdict, Rejected) else "accepted"

    return judge


@pytest.fixture(scope="session")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def pairs(rsa_key):
    """A private key for each algorithm that has a pair."""
    return {
        "RS256": rsa_key,
        "PS256": rsa_key,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "ES512": ec.generate_private_key(ec.SECP521R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.fixture
def verifier_for(pairs):
    """A verifier of everything about a token but its claims, with the public key of an algorithm."""

    def made(alg, **policy):
        key = key_of(pairs[alg].public_key(), alg, kid="k1")
        return Verifier(VerifyPolicy(**policy), KeySet(key), cache_size=0)

    return made


@pytest.fixture
def shop(tmp_path):
    """See `tokens_shop.open_shop`."""
    with open_shop(tmp_path) as made:
        yield made
