"""A JWK or a JWK Set as somebody else published it: each key is judged when a token chooses it (RFC 7517 section 5)."""

from collections.abc import Mapping
from typing import Any

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens.algorithms import ALGORITHMS
from jwtrail.tokens.keys import Key, load_jwk
from jwtrail.tokens.refusal import Refusal

__all__ = ["MAX_SET", "JwkSet"]

MAX_SET = 100
"""Keys of a set; large identity providers publish ten."""

Jwk = Mapping[str, Any]

_FOREIGN_CURVES = ("secp256k1", "Ed448", "X25519", "X448")
_PUBLIC = {one.kty for one in ALGORITHMS.values()} - {"oct"}


class JwkSet:
    """Keys that are looked at one by one, so that an unfit or unknown one spoils only the tokens that it signed.

    Args:
        document: a JWK or a JWK Set; None when there is none to be had.
        patterned: secrets that repeat a few characters are taken too, as only published test vectors need.
        examples: so are the keys that are printed in standards.
    """

    def __init__(self, document: object, *, patterned: bool = False, examples: bool = False) -> None:
        self._patterned = patterned
        self._examples = examples
        self._jwks, self._flaw = _read(document)
        self._by_kid = {kid: jwk for jwk in self._jwks if (kid := _kid(jwk))}
        kinds = {kty for jwk in self._jwks if isinstance(kty := jwk.get("kty"), str)}
        self.public_only = bool(kinds & _PUBLIC) and "oct" not in kinds
        self.algs = frozenset(one.name for one in ALGORITHMS.values() if one.kty in kinds)
        if len(self._by_kid) < sum(1 for jwk in self._jwks if _kid(jwk)):
            self._flaw = "key_set_ambiguous"
        elif "oct" in kinds and len(kinds) > 1:
            self._flaw = "key_set_mixed"

    def current(self) -> "JwkSet":
        """Itself: it is a `KeySource` that never changes."""
        return self

    def knows(self, kid: str) -> bool:
        """Whether a key has this id."""
        return kid in self._by_kid

    def choose(self, alg: str, kid: str | None) -> Key:
        """The one key that must have signed.

        Raises:
            Refusal: `kid_unknown`, `kid_missing`, `alg_key_mismatch`, or what is wrong with the set or the key.
        """
        if self._flaw:
            raise Refusal(self._flaw)
        if kid is not None and kid in self._by_kid:
            return self._load(self._by_kid[kid], alg)
        candidates = self._jwks if kid is None else [jwk for jwk in self._jwks if not _kid(jwk)]
        if not candidates:
            raise Refusal("kid_unknown")
        if len(candidates) == 1:
            return self._load(candidates[0], alg)
        return self._only(candidates, alg, "kid_missing" if kid is None else "kid_unknown")

    def _only(self, candidates: list[Jwk], alg: str, several: str) -> Key:
        """The one key that is for the algorithm; keys for encryption and the like do not count."""
        fitting: list[Key] = []
        flaws: list[str] = []
        for jwk in candidates:
            try:
                fitting.append(self._load(jwk, alg))
            except Refusal as refusal:
                flaws.append(refusal.reason)
        if len(fitting) == 1:
            return fitting[0]
        told = [flaw for flaw in flaws if flaw != "alg_key_mismatch"] or ["alg_key_mismatch"]
        raise Refusal(several if fitting else told[0])

    def _load(self, jwk: Jwk, alg: str) -> Key:
        """The key, when it is healthy and bound to the algorithm."""
        try:
            judged = {**jwk, "alg": _judged_by(jwk, alg)}
            key = load_jwk(judged, patterned=self._patterned, examples=self._examples)
        except KeyRefusedError as error:
            # Nothing is wrong with a key of such a curve; it is for an algorithm that is not this one.
            foreign = error.reason == "key_invalid" and jwk.get("crv") in _FOREIGN_CURVES
            raise Refusal("alg_key_mismatch" if foreign else error.reason) from None
        if jwk.get("alg", alg) not in (alg, None) or alg not in key.algs:
            raise Refusal("alg_key_mismatch")
        return key


def _judged_by(jwk: Jwk, alg: str) -> str | None:
    """The algorithm whose demands a key is held to before its binding is asked for: RSA and curves stand for themselves,
    a secret must be long enough for the algorithm it is for.
    """
    kty = jwk.get("kty")
    if kty == "oct":
        for name in (jwk.get("alg"), alg):
            if isinstance(name, str) and name in ALGORITHMS and ALGORITHMS[name].kty == "oct":
                return name
        return "HS256"
    return jwk.get("alg") if kty == "AKP" else None  # RFC 9964 section 3: there `alg` says what the key is


def _read(document: object) -> tuple[list[Jwk], str]:
    """The keys, and the reason for which there are none."""
    if document is None:
        return [], "jwks_unavailable"
    if not isinstance(document, Mapping):
        return [], "key_invalid"
    if "keys" not in document or "kty" in document:
        return [document], ""
    keys = document["keys"]
    if not isinstance(keys, list) or len(keys) > MAX_SET:
        return [], "key_invalid"
    return [jwk for jwk in keys if isinstance(jwk, Mapping)], ""


def _kid(jwk: Jwk) -> str:
    kid = jwk.get("kid")
    return kid if isinstance(kid, str) else ""
