"""Verifying an access token, strict and remembered, against other libraries with the same key and the same demands."""

import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.measure import compare, show
from jwtrail.state.store import StateStore
from jwtrail.tokens import base64url
from jwtrail.tokens.algorithms import ALGORITHMS
from jwtrail.tokens.issuer import Issuer
from jwtrail.tokens.keyring import KeyRing
from jwtrail.tokens.settings import TokenSettings
from jwtrail.tokens.verdict import Accepted
from jwtrail.tokens.verifier import Verifier

PEERS = {"joserfc": "joserfc", "Authlib": "authlib", "python-jose": "jose"}
"""Installed with `uv sync --group bench`; those that are missing are left out, with a line."""

BARE = "the signature alone (ceiling)"
"""The primitive of our verifier, without any token: what its time leaves is the verifier's own."""

CASES = (
    ("HS256", "HS256", 0),
    ("RS256 with 2048 bits", "RS256", 2048),
    ("RS256 with 3072 bits, as the ring makes them", "RS256", 0),
    ("ES256", "ES256", 0),
    ("EdDSA", "EdDSA", 0),
)

Call = Callable[[], object]


def run(calls: int) -> None:
    installed = {name for name, module in PEERS.items() if importlib.util.find_spec(module)}
    for name in PEERS.keys() - installed:
        print(f"{name} is not installed: left out")
    for title, algorithm, bits in CASES:
        with tempfile.TemporaryDirectory() as folder, StateStore(Path(folder) / "state.db") as store:
            settings = TokenSettings(algorithm=algorithm)
            ring = KeyRing(Path(folder) / "keys", algorithm=algorithm)
            if bits:
                ring.adopt(_rsa_pem(bits))
            token = Issuer(settings, ring, store).issue("u1", scope="orders:read").access_token
            private = ring.signing_key().private
            key = private if isinstance(private, bytes) else private.public_key()
            strict = Verifier(settings.access_policy(), ring, cache_size=0)
            cached = Verifier(settings.access_policy(), ring)
            assert isinstance(strict.verify(token), Accepted)
            message, _, signature = token.encode().rpartition(b".")
            check, signature = ALGORITHMS[algorithm].checker(key), base64url.decode(signature)
            contenders: dict[str, Call] = {
                BARE: lambda check=check, m=message, s=signature: check(m, s),
                "PyJWT decode": _pyjwt(token, key, algorithm, settings),
                "jwtrail verify": lambda strict=strict, token=token: strict.verify(token),
                "jwtrail verify, remembered": lambda cached=cached, token=token: cached.verify(token),
            }
            with warnings.catch_warnings(action="ignore"):  # Authlib announces its successor
                if "joserfc" in installed:
                    contenders["joserfc decode"] = _joserfc(token, key, algorithm, settings)
                if "Authlib" in installed:
                    contenders["Authlib decode"] = _authlib(token, key, algorithm, settings)
                if "python-jose" in installed and algorithm != "EdDSA":  # which it does not know
                    contenders["python-jose decode"] = _jose(token, key, algorithm, settings)
                medians = compare(contenders, calls)
            show(f"tokens, {title}", medians, "PyJWT decode")


def _pyjwt(token: str, key: Any, algorithm: str, settings: TokenSettings) -> Call:
    options = {"require": list(settings.required)}
    return lambda: jwt.decode(token, key, [algorithm], audience="api", issuer="jwtrail", options=options)


def _joserfc(token: str, key: Any, algorithm: str, settings: TokenSettings) -> Call:
    from joserfc import jwk
    from joserfc import jwt as jose

    kind = {"HS256": jwk.OctKey, "RS256": jwk.RSAKey, "ES256": jwk.ECKey, "EdDSA": jwk.OKPKey}[algorithm]
    imported = kind.import_key(key if isinstance(key, bytes) else _pem(key))
    claims = {name: {"essential": True} for name in settings.required}
    registry = jose.JWTClaimsRegistry(
        **{
            **claims,
            "iss": {"essential": True, "value": "jwtrail"},
            "aud": {"essential": True, "value": "api"},
        }
    )

    def call() -> None:
        registry.validate(jose.decode(token, imported, algorithms=[algorithm]).claims)

    return call


def _authlib(token: str, key: Any, algorithm: str, settings: TokenSettings) -> Call:
    from authlib.jose import ECKey, JsonWebToken, OctKey, OKPKey, RSAKey

    kind = {"HS256": OctKey, "RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}[algorithm]
    imported = kind.import_key(key if isinstance(key, bytes) else _pem(key))
    reader = JsonWebToken([algorithm])
    options = {name: {"essential": True} for name in settings.required}
    options |= {"iss": {"essential": True, "value": "jwtrail"}, "aud": {"essential": True, "value": "api"}}
    return lambda: reader.decode(token, imported, claims_options=options).validate()


def _jose(token: str, key: Any, algorithm: str, settings: TokenSettings) -> Call:
    from jose import jwt as jose
    from jose.jwk import construct

    made = construct(key if isinstance(key, bytes) else _pem(key), algorithm)
    options = {f"require_{name}": True for name in settings.required}
    return lambda: jose.decode(token, made, [algorithm], audience="api", issuer="jwtrail", options=options)


def _rsa_pem(bits: int) -> bytes:
    return rsa.generate_private_key(65537, bits).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(key: Any) -> bytes:
    pem: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem
