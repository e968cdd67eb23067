"""Group A of the catalogue: tokens that nobody issued."""

from collections.abc import Callable, Iterator
from typing import Any

from jwtrail.simulate.attacks.kit import Attack, Scene, refused
from jwtrail.simulate.deed import Deed, request, uuid_of

__all__ = ["FORGERY"]


def _some(
    reason: str, count: tuple[int, int], over_s: float, fields: Callable[[int], dict[str, Any]] = lambda _: {}
) -> Callable[[Scene], Iterator[Deed]]:
    """An attack that is a number of refused tokens within a time."""

    def play(scene: Scene) -> Iterator[Deed]:
        for number, at in enumerate(scene.times(scene.chance.randint(*count), over_s)):
            yield refused(scene, reason, at, **fields(number))

    return play


def _foreign(scene: Scene) -> Iterator[Deed]:
    """The signing key leaked: the token verifies, but nobody here issued it."""
    session = scene.session(scene.victim(), scene.lair())
    session.jti = uuid_of(scene.chance)
    for at in scene.times(4, 120):
        deed = session.call(at, request(scene.chance, "/me", "/me"))
        yield Deed(deed.at, deed.action, {**deed.fields, "jwt_known": False})


def _names(number: int) -> dict[str, Any]:
    return {"jwt_unverified_kid": f"key-{number}"}


def _subject(_: int) -> dict[str, Any]:
    return {"jwt_unverified_sub": "admin", "jwt_unverified_iss": "https://shop.example"}


def _known(_: int) -> dict[str, Any]:
    return {"jwt_known": True, "jwt_unverified_sub": "u00001"}


FORGERY = (
    Attack("A1", "Unsigned token", ("A1",), _some("alg_none", (1, 6), 60)),
    Attack("A2", "Public key as HMAC secret", ("A2",), _some("alg_confusion", (1, 3), 60)),
    Attack("A3", "Bad signatures", ("A3",), _some("signature_invalid", (5, 9), 200)),
    Attack("A4", "Signature guessing", ("A4",), _some("signature_invalid", (30, 80), 400, _subject)),
    Attack("A5", "Altered payload", ("A5",), _some("signature_invalid", (1, 2), 60, _known)),
    Attack("A6", "Valid token that was never issued", ("A6",), _foreign),
    Attack("A7", "Key id injection", ("A7",), _some("kid_injection", (1, 5), 60)),
    Attack("A8", "Key in the header", ("A8",), _some("header_key_injection", (1, 4), 60)),
    Attack("A8", "Key address in the header", ("A8",), _some("header_url_injection", (1, 4), 60)),
    Attack("A9", "Sweep of key ids", ("A9",), _some("kid_unknown", (8, 20), 300, _names)),
    Attack("A10", "Tokens of another service", ("A10",), _some("audience_mismatch", (7, 15), 1500)),
    Attack("A11", "Refresh token as access token", ("A11",), _some("token_use_mismatch", (1, 3), 60)),
    Attack("A12", "Token bomb", ("A12",), _some("token_too_large", (2, 9), 60)),
    Attack("A12", "Unknown critical header", ("A12",), _some("crit_unsupported", (1, 3), 60)),
    Attack("A13", "Degenerate signature", ("A13",), _some("signature_degenerate", (1, 3), 60)),
    Attack("A14", "Names twice in a token", ("A14",), _some("duplicate_json_key", (1, 3), 60)),
    Attack("A15", "Stripped signatures", ("A15",), _some("signature_missing", (4, 8), 240)),
    Attack("A16", "Right family, wrong algorithm", ("A16",), _some("alg_key_mismatch", (1, 4), 60)),
)
