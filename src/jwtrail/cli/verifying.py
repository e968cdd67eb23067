"""The verifier as the workers have it: same settings, keys and revocations."""

from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from jwtrail.cli.common import note, require_data
from jwtrail.cli.plain import visible
from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.state import StateStore
    from jwtrail.tokens.keyring import KeyRing
    from jwtrail.tokens.remote import KeyNews
    from jwtrail.tokens.verdict import Verdict
    from jwtrail.tokens.verifier import KeySource

__all__ = ["judged", "known_state_of", "new_ring_of", "ring_of", "state_of"]


def ring_of(settings: "Settings") -> "KeyRing":
    """The key ring of a data directory, which must exist: looking at keys makes none.

    Raises:
        ConfigError: there are no keys.
    """
    from jwtrail.tokens.keyring import KeyRing  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    directory = Layout(settings.root).keys / "tokens"
    if not directory.is_dir():
        raise ConfigError(
            "there are no token keys",
            where=str(directory),
            hint="name the data directory with --data, or make a key: jwtrail keys new",
        )
    return KeyRing(directory, algorithm=settings.tokens.algorithm, passphrase=settings.passphrase)


def new_ring_of(settings: "Settings") -> "KeyRing":
    """The key ring, made with the data directory when there is none."""
    from jwtrail.tokens.keyring import KeyRing  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    layout = Layout(settings.root)
    layout.create()
    return KeyRing(
        layout.keys / "tokens", algorithm=settings.tokens.algorithm, passphrase=settings.passphrase
    )


def state_of(settings: "Settings") -> "StateStore":
    """Revocations and sign-ins, where the settings say."""
    from jwtrail.state import open_state  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    return open_state(Layout(settings.root).state, settings.state_url)


def known_state_of(settings: "Settings") -> "StateStore":
    """The same of a data directory that is there: a mistyped one would say that nobody is signed in.

    Raises:
        ConfigError: there is no such directory.
    """
    require_data(settings.root)
    return state_of(settings)


def judged(settings: "Settings", token: str, *, refresh: bool) -> "Verdict":
    """The verdict as a worker would give it at this moment, with what is revoked; keys of other issuers are fetched.

    Args:
        refresh: it is to be judged as a refresh token.

    Raises:
        ConfigError: there are no keys to judge it by.
    """
    from jwtrail import clock  # noqa: PLC0415
    from jwtrail.tokens.federation import FederatedVerifier, remote_verifiers  # noqa: PLC0415
    from jwtrail.tokens.revocation import RevocationView  # noqa: PLC0415
    from jwtrail.tokens.verdict import Rejected  # noqa: PLC0415
    from jwtrail.tokens.verifier import Verifier  # noqa: PLC0415

    tokens = settings.tokens
    ring = _ring_if_any(settings) if tokens.issuers else ring_of(settings)
    with state_of(settings) as state:
        revoked = RevocationView(state.revocations(clock.now_us()))
    own = Verifier(tokens.refresh_policy() if refresh else tokens.access_policy(), ring, revoked)
    if refresh or not tokens.issuers:
        return own.verify(token)
    news: SimpleQueue[KeyNews] = SimpleQueue()
    everybody = FederatedVerifier(
        own, remote_verifiers(tokens, revoked, news.put), max_token_bytes=tokens.max_token_bytes
    )
    verdict = everybody.verify(token)
    if isinstance(verdict, Rejected):
        verdict = everybody.second_look_blocking(token, verdict)
    if isinstance(verdict, Rejected) and verdict.reason == "jwks_unavailable":
        with suppress(Empty):  # told a moment after the fetch has ended
            note(visible(news.get(timeout=1).message))
    return verdict


def _ring_if_any(settings: "Settings") -> "KeySource":
    """Who only takes the tokens of others has no keys."""
    from jwtrail.tokens.keys import KeySet  # noqa: PLC0415

    try:
        return ring_of(settings)
    except ConfigError:
        return KeySet()
