"""Differential fuzzing of the verifier: what we accept, PyJWT or joserfc accepts with the same key; nothing ever raises.

With atheris installed, coverage guides it: `python tests/fuzz/fuzz_tokens.py -max_total_time=600`. Without it, random
mutations of good tokens: `python tests/fuzz/fuzz_tokens.py 600` (seconds). joserfc is asked when it is installed.
"""

import importlib.util
import json
import random
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

sys.path.insert(0, str(Path(__file__).parents[1] / "tokens"))

from tokens_forge import NOW_US, SECRET, good, text

from jwtrail.ecs import REASONS
from jwtrail.tokens import Accepted, KeySet, Rejected, Verifier, VerifyPolicy, load_secret
from jwtrail.tokens.keys import key_of

KEYS: dict[str, Any] = {
    "HS256": SECRET,
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
}
PUBLIC = {alg: key if isinstance(key, bytes) else key.public_key() for alg, key in KEYS.items()}
JUDGES = {
    alg: Verifier(
        VerifyPolicy(required=()),
        KeySet(load_secret(key) if isinstance(key, bytes) else key_of(key, alg)),
        cache_size=0,
    )
    for alg, key in PUBLIC.items()
}
PIECES = (
    b'{"alg":"none"}', b'{"alg":"HS256"}', b'"exp":1e999', b'"exp":"1"', b',"sub":"x"', b"NaN", b"[" * 40, b"\\u0000", b"\xff",
    b'"crit":["x"]', b'"kid":"../x"', b"=", b".", b"..", b"-----BEGIN PUBLIC KEY-----", b"9" * 30,
)  # fmt: skip
LENIENT = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_sub": False,
}


def peers_accept(token: str, alg: str) -> bool:
    """Whether a library that is not ours takes the signature and reads the claims."""
    with suppress(jwt.PyJWTError, ValueError):
        jwt.decode(token, PUBLIC[alg], [alg], options={**LENIENT, "verify_jti": False})
        return True
    if importlib.util.find_spec("joserfc"):
        from joserfc import errors, jwk
        from joserfc import jwt as jose

        kind = {"HS256": "oct", "EdDSA": "OKP", "ES256": "EC", "RS256": "RSA"}[alg]
        with suppress(errors.JoseError, ValueError):
            jose.decode(token, jwk.JWKRegistry.import_key(PUBLIC[alg], kind), algorithms=[alg])
            return True
    return False


def check(raw: bytes, alg: str) -> bool:
    """One token; True when it was accepted."""
    verdict = JUDGES[alg].verify(raw, NOW_US)
    if isinstance(verdict, Accepted):
        assert peers_accept(raw.decode(), alg), f"only we accept {raw!r} with {alg}"
        return True
    assert isinstance(verdict, Rejected)
    assert verdict.reason in REASONS, verdict
    return False


def signed(header: bytes, payload: bytes, alg: str) -> bytes:
    """A token with any header and payload, and a good signature."""
    message = f"{text(header)}.{text(payload)}".encode()
    signer = jwt.get_algorithm_by_name(alg)
    return message + b"." + text(signer.sign(message, signer.prepare_key(KEYS[alg]))).encode()


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Cut, doubled, overwritten or filled with something that parsers trip over."""
    made = bytearray(raw)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(4):
            case 0:
                del made[at : at + chance.randrange(1, 9)]
            case 1:
                made[at:at] = chance.choice(PIECES)
            case 2 if at < len(made):
                made[at] = chance.randrange(256)
            case _:
                made[at:at] = made[at : at + chance.randrange(1, 40)]
    return bytes(made)


def one(chance: random.Random) -> bool:
    """A token that is altered before it is signed, afterwards, or both."""
    alg = chance.choice(tuple(KEYS))
    header = mutated(json.dumps({"alg": alg, "kid": "k1", "typ": "JWT"}).encode(), chance)
    payload = mutated(json.dumps(good(scope="a b"), separators=(",", ":")).encode(), chance)
    token = signed(header, payload, alg)
    return check(mutated(token, chance) if chance.random() < 0.5 else token, alg)


def main() -> None:
    if importlib.util.find_spec("atheris"):
        import atheris

        def target(data: bytes) -> None:
            given = atheris.FuzzedDataProvider(data)
            kind = given.ConsumeIntInRange(0, 8)
            if kind < 6:  # the readers of header and payload stand behind a good signature: it is made
                alg = "HS256" if kind < 5 else given.PickValueInList(list(KEYS))
                header = b'{"alg":"%s"}' % alg.encode()
                if kind & 1:
                    header = given.ConsumeBytes(given.ConsumeIntInRange(0, 200))
                check(signed(header, given.ConsumeBytes(len(data)), alg), alg)
            elif kind < 8:
                one(random.Random(data))
            else:
                check(data[1:], given.PickValueInList(list(KEYS)))

        atheris.instrument_all()
        atheris.Setup(sys.argv, target)
        atheris.Fuzz()
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    chance, end, count, accepted = random.Random(1), time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        accepted += one(chance)
        count += 1
    print(f"{count:,} tokens, {accepted:,} accepted, each by a peer too; nothing raised")


if __name__ == "__main__":
    main()
