"""What is done about an alert: the operator's settings, and the policy that comes with the package."""

import ipaddress
from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = [
    "MAX_MINUTES",
    "PACKAGED",
    "Answer",
    "AnswerKind",
    "AnswerTarget",
    "RespondSettings",
]

# The words of `sigma.Proposal`, and `exec`, which no rule can propose; a test holds them equal. Not imported: see `respond/__init__.py`.
AnswerKind = Literal["revoke", "throttle", "block", "notify", "exec"]
AnswerTarget = Literal["jti", "family", "user", "source"]

MAX_MINUTES = 7 * 24 * 60
"""Longest throttle or block that can be set, minutes. Every answer ends by itself."""


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do when a rule fires.

    Args:
        kind: `revoke` a `jti`, `family` or `user`; `throttle` or `block` a `source`, `user` or `jti`; `exec` a hook; or only
            `notify`.
        target: which verified identity of the completing event, or its source. When the event does not know it nothing
            is done: no wider key takes its place.
        minutes: how long a throttle or block lasts. A revocation outlives every token of what it revokes.
        per_minute: requests that a throttle still lets through, a minute.
        unauthenticated_only: of a source, hold up only requests without a valid token.
        same_route: hold up only the route on which it happened.
        spare_shared: of a revocation, only tell when more than three users were seen behind the source in the last day:
            of a rule that knows the address and not who did it.
        hook: of `exec`: name of an entry point of the group `jwtrail.responses`.
        dry_run: say what would be done, and do not do it.
    """

    kind: AnswerKind
    target: AnswerTarget = "source"
    minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES)] = 10
    per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 10
    unauthenticated_only: bool = True
    same_route: bool = False
    spare_shared: bool = False
    hook: str = ""
    dry_run: bool = False


PACKAGED: dict[str, Answer] = {
    "A1": Answer(kind="block"),
    "A2": Answer(kind="block"),
    "A4": Answer(kind="block"),
    "B2": Answer(kind="revoke", target="family"),
    "C6a": Answer(kind="revoke", target="family"),
    "C6b": Answer(kind="revoke", target="family", spare_shared=True),
    "D1": Answer(kind="revoke", target="jti"),
    "E6": Answer(kind="throttle", per_minute=30),
}
"""The policy of the package, by the rule's code. Only rules are here whose precision is high and whose answer is narrow
and cheap to be wrong about:

- A1, A2, A4: forged tokens. The address is refused for ten minutes, but only without a valid token, so that users who
  share it go on working; nothing is done to the user whose name the attacker wrote into the token.
- B2: a stolen refresh token. The family is one sign-in on one device; RFC 9700 section 4.14.2 asks for this.
- C6a, C6b: the password was found. Only the sign-in that just succeeded ends, and only when it came from where the guesses
  came from; after guesses at many names, none behind an address that several users share.
- D1: one token reads object after object. Only that access token ends; its owner gets a new one by refreshing.
- E6: a scan. Slowed to 30 requests a minute without a valid token.

Any other rule's own proposal is said in an event with `jwtrail.response.dry_run: true` and not done, until an answer for
the rule is set under `[respond.answers]`."""


class RespondSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[respond]`.

    Args:
        dry_run: true turns every answer into an announcement.
        answers: by a rule's code or id; replaces the packaged answer of that rule, the others stay.
        allow_sources: networks (`10.0.0.0/8`) that are never answered: own scanners, health probes.
        allow_users: ids of users that are never answered.
        max_minutes: no throttle or block lasts longer, whatever an answer says.
    """

    dry_run: bool = False
    answers: dict[str, Answer] = {}
    allow_sources: tuple[str, ...] = ()
    allow_users: tuple[str, ...] = ()
    max_minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES)] = 24 * 60

    def __post_init__(self) -> None:
        """Refuse networks that are none, and answers that make no sense."""
        for network in self.allow_sources:
            ipaddress.ip_network(network)
        for name, answer in self.answers.items():
            if answer.kind == "revoke" and answer.target == "source":
                msg = f"answers.{name}: an address cannot be revoked; block or throttle it"
                raise ValueError(msg)
            if answer.kind in ("block", "throttle") and answer.target == "family":
                msg = f"answers.{name}: a family cannot be held up; revoke it"
                raise ValueError(msg)
            if (answer.kind == "exec") != bool(answer.hook):
                msg = f"answers.{name}: `exec` and `hook` go together"
                raise ValueError(msg)

    def answer_for(self, rule: str, code: str) -> Answer | None:
        """The answer set for a rule, else the packaged one, else None."""
        for table in (self.answers, PACKAGED):
            for key in (rule, code):
                if key and key in table:
                    return table[key]
        return None
