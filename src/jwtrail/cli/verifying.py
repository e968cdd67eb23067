"""The verifier as the workers have it: same settings, keys and revocations."""

from typing import TYPE_CHECKING

from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.state import StateStore
    from jwtrail.tokens.keyring import KeyRing
    from jwtrail.tokens.verifier import Verifier

__all__ = ["new_ring_of", "ring_of", "state_of", "verifier_of"]


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
            hint="make one: jwtrail keys new",
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


def verifier_of(settings: "Settings", *, refresh: bool) -> "Verifier":
    """A verifier for access or refresh tokens that sees what is revoked at this moment."""
    from jwtrail import clock  # noqa: PLC0415
    from jwtrail.tokens.revocation import RevocationView  # noqa: PLC0415
    from jwtrail.tokens.verifier import Verifier  # noqa: PLC0415

    ring = ring_of(settings)
    with state_of(settings) as state:
        revoked = RevocationView(state.revocations(clock.now_us()))
    policy = settings.tokens.refresh_policy() if refresh else settings.tokens.access_policy()
    return Verifier(policy, ring, revoked)
