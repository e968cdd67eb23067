"""Tokens: issued with rotating keys, verified with the one right reason for every refusal, revoked within moments."""

from jwtrail.tokens.issuer import Issuer
from jwtrail.tokens.keyentry import KeyEntry
from jwtrail.tokens.keyring import KeyRing
from jwtrail.tokens.keys import Key, KeySet, load_jwk, load_pem, load_secret
from jwtrail.tokens.live import LiveState
from jwtrail.tokens.pairs import RefreshError, TokenPair
from jwtrail.tokens.restraint import Held, RestraintView
from jwtrail.tokens.revocation import RevocationView, Revoked
from jwtrail.tokens.settings import TokenSettings, VerifyPolicy
from jwtrail.tokens.verdict import Absent, Accepted, Binding, Claims, Rejected, Verdict
from jwtrail.tokens.verifier import KeySource, Verifier

__all__ = [
    "Absent",
    "Accepted",
    "Binding",
    "Claims",
    "Held",
    "Issuer",
    "Key",
    "KeyEntry",
    "KeyRing",
    "KeySet",
    "KeySource",
    "LiveState",
    "RefreshError",
    "Rejected",
    "RestraintView",
    "RevocationView",
    "Revoked",
    "TokenPair",
    "TokenSettings",
    "Verdict",
    "Verifier",
    "VerifyPolicy",
    "load_jwk",
    "load_pem",
    "load_secret",
]
