"""The closed list of reasons (`event.reason`). Codes never change; the class says what kind of sender it was."""

from typing import Literal

from msgspec import Struct

__all__ = ["REASONS", "Reason", "ReasonClass"]

ReasonClass = Literal["forged", "suspicious", "broken_client", "routine", "sign_in", "operator"]


class Reason(Struct, frozen=True):
    """One reason: its code, what kind of sender causes it, and what it means."""

    code: str
    klass: ReasonClass
    doc: str


_TABLE = """
forged alg_none the header says the token is not signed, in any spelling
forged alg_confusion an HMAC algorithm is offered where the key is a public one
forged header_key_injection the header brings its own key (jwk, x5c)
forged header_url_injection the header says where to fetch a key (jku, x5u)
forged kid_injection the key id holds a path, SQL, a command, a script or a control character
forged signature_degenerate r or s of an ECDSA signature is zero or the group order
suspicious signature_invalid the signature does not fit the key
suspicious signature_missing the signature is empty
suspicious signature_malformed the signature has the wrong length for its algorithm
suspicious duplicate_json_key a name stands twice in the header or the payload
suspicious alg_key_mismatch the right family of algorithm, but not the one this key is for
suspicious kid_unknown no key of this issuer has this id
suspicious revoked_token this token was revoked
suspicious revoked_subject everything issued to this subject before a moment was revoked
suspicious revoked_client this client's tokens were revoked
suspicious revoked_session the sign-in this token belongs to was ended
suspicious key_revoked the key that signed it was revoked
suspicious token_replayed a token for one use was used again
suspicious refresh_reused a refresh token was used after it had been exchanged
suspicious binding_missing the token is bound to a key and no proof came with it
suspicious binding_mismatch the proof was made with another key
suspicious dpop_invalid the DPoP proof is malformed or does not fit the request
suspicious dpop_expired the DPoP proof is too old
suspicious dpop_replayed the DPoP proof was used before
suspicious dpop_nonce_required the DPoP proof lacks the nonce
suspicious token_in_query the token came in the URL
suspicious multiple_credentials more than one credential came with the request
broken_client malformed_segments not three parts
broken_client malformed_base64 a part is not canonical base64url
broken_client malformed_header_json the header is not a JSON object
broken_client malformed_payload_json the payload is not a JSON object
broken_client json_too_deep the JSON is nested too deep
broken_client token_too_large the token is longer than allowed
broken_client unsupported_serialization a JSON-serialised JWS
broken_client encrypted_token_unexpected a JWE where a JWS is due
broken_client nested_token_unsupported a token inside a token
broken_client alg_missing the header has no algorithm
broken_client alg_invalid the algorithm is not a text
broken_client alg_not_allowed the algorithm is not on the allow-list
broken_client crit_unsupported the header demands an extension that is not understood
broken_client crit_malformed the list of demanded extensions is malformed
broken_client b64_unsupported an unencoded payload (RFC 7797)
broken_client typ_mismatch the token's type is not the one expected here
broken_client token_use_mismatch an id or refresh token used as an access token, or the like
broken_client kid_missing the key id is missing and more than one key could fit
broken_client kid_invalid the key id is not a text
broken_client claim_missing a required claim is missing
broken_client claim_invalid a claim has the wrong type or an impossible value
broken_client issuer_mismatch another issuer
broken_client audience_mismatch meant for another audience
broken_client csrf_missing a cookie came without its CSRF token
broken_client csrf_mismatch the CSRF token is not the cookie's
routine token_missing no token came and the route wants one
routine expired the token is past its end
routine not_yet_valid the token is not valid yet
routine issued_in_future the token says it was issued later than now
routine lifetime_too_long the token lives longer than allowed
routine scope_insufficient the token lacks a scope
routine role_denied the user lacks a role
routine object_denied the user may not touch this object
routine rate_limited too many requests, or an answer to an attack
sign_in bad_credentials the password is wrong
sign_in user_unknown there is no such user
sign_in user_disabled the account is closed
sign_in mfa_required a second factor is due
sign_in mfa_failed the second factor is wrong
operator key_empty the key is empty
operator key_too_weak the key is too short
operator key_weak_secret the secret is a published or guessable one
operator key_compromised the key is known to be broken (ROCA, a published test key)
operator key_invalid the key is malformed
operator key_use_mismatch the key is not for signing
operator key_ops_mismatch the key's operations do not include this one
operator key_set_ambiguous two keys of the set have the same id
operator key_set_mixed the set mixes public keys and secrets
operator jwks_unavailable the issuer's keys could not be fetched
"""

REASONS: dict[str, Reason] = {
    code: Reason(code, klass, doc)  # type: ignore[arg-type]  # the table is tested against ReasonClass
    for klass, code, doc in (line.split(" ", 2) for line in _TABLE.strip().splitlines())
}
