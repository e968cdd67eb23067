"""How a check inside the verifier says no. It never leaves `Verifier.verify`."""

from jwtrail.tokens.verdict import Claims

__all__ = ["Refusal"]


class Refusal(Exception):  # noqa: N818  # control flow between a check and the verifier, not an error of anybody
    """The one reason for which a token is refused.

    Args:
        reason: a code of `ecs.reasons`.
        claims: of a token whose signature, issuer and audience held.
    """

    def __init__(self, reason: str, claims: Claims | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.claims = claims
