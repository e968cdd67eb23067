"""Verifying an access token: strict, and remembered, against PyJWT with the same key."""

import tempfile
from pathlib import Path

import jwt

from bench.measure import compare, show
from jwtrail.state.store import StateStore
from jwtrail.tokens.issuer import Issuer
from jwtrail.tokens.keyring import KeyRing
from jwtrail.tokens.settings import TokenSettings
from jwtrail.tokens.verdict import Accepted
from jwtrail.tokens.verifier import Verifier


def run(calls: int) -> None:
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        with tempfile.TemporaryDirectory() as folder, StateStore(Path(folder) / "state.db") as store:
            settings = TokenSettings(algorithm=algorithm)
            ring = KeyRing(Path(folder) / "keys", algorithm=algorithm)
            token = Issuer(settings, ring, store).issue("u1", scope="orders:read").access_token
            private = ring.signing_key().private
            public = private if algorithm == "HS256" else private.public_key()
            strict = Verifier(settings.access_policy(), ring, cache_size=0)
            cached = Verifier(settings.access_policy(), ring)
            assert isinstance(strict.verify(token), Accepted)
            required = {"require": list(settings.required)}

            def peer(token=token, key=public, algorithm=algorithm, options=required):
                jwt.decode(token, key, [algorithm], audience="api", issuer="jwtrail", options=options)

            medians = compare(
                {
                    "PyJWT decode": peer,
                    "jwtrail verify": lambda strict=strict, token=token: strict.verify(token),
                    "jwtrail verify, remembered": lambda cached=cached, token=token: cached.verify(token),
                },
                calls,
            )
            show(f"tokens, {algorithm}", medians, "PyJWT decode")
