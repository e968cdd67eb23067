"""What a loaded Sigma rule is: frozen records, free of pySigma."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Struct

from jwtrail.errors import RuleError
from jwtrail.predicate.ir import Predicate
from jwtrail.sigma.shapes import Shape
from jwtrail.sigma.watches import (
    DormantText,
    NewTermsText,
    StatisticalText,
    SteppingText,
    StepText,
    TravelText,
    Watch,
)

__all__ = [
    "AnswerKind",
    "AnswerTarget",
    "Correlation",
    "Example",
    "ExampleEvents",
    "Extension",
    "Level",
    "Loaded",
    "Meta",
    "Proposal",
    "Rule",
    "Share",
    "ShareText",
]

Level = Literal["informational", "low", "medium", "high", "critical"]
AnswerKind = Literal["revoke", "throttle", "block", "notify"]
AnswerTarget = Literal["jti", "family", "user", "source"]

MAX_MINUTES = 7 * 24 * 60
"""Longest throttle or block, minutes: every answer ends, and a week is longer than anybody is away."""

MAX_OFFSET_S = 400 * 86_400
"""Longest time inside an example, seconds: as long as anything is remembered."""

MAX_REPEAT = 10_000
"""Events of one line of an example."""


class Proposal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What the rule's author would do about it; whether it is done is the operator's policy.

    Args:
        kind: `revoke` (jti, family, user), `throttle` or `block` (source, user, jti), `notify`.
        target: whom: an identity of the completing event that was verified, or its source.
        minutes: how long a throttle or block lasts; a revocation lasts as long as the token can live.
        why: a sentence for the reader.
    """

    kind: AnswerKind
    target: AnswerTarget = "source"
    minutes: Annotated[int, msgspec.Meta(ge=1, le=MAX_MINUTES)] = 10
    why: str = ""


class ExampleEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events of an example.

    Args:
        at: seconds after the example's start.
        repeat: how many of them.
        every: seconds between two of them.
        set: the flat ECS document; `{n}` in a text becomes the number of the event, from 1.
    """

    set: dict[str, Any]
    at: Annotated[float, msgspec.Meta(ge=0, le=MAX_OFFSET_S)] = 0
    repeat: Annotated[int, msgspec.Meta(ge=1, le=MAX_REPEAT)] = 1
    every: Annotated[float, msgspec.Meta(ge=0, le=MAX_OFFSET_S)] = 1


class Example(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events and what the rule must say of them.

    Args:
        name: what happens, in words.
        alerts: how many alerts of this rule; 0 is a near miss.
    """

    name: str
    events: tuple[ExampleEvents, ...]
    alerts: int = 1


class ShareText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`share` as it is written: what is counted must be so much of itself and of what `against` counts.

    Args:
        against: name or id of a rule, counted in the same group and window.
    """

    against: str
    percent: Annotated[int, msgspec.Meta(ge=1, le=100)]


class Extension(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The custom attribute `jwtrail:` of a rule. Other Sigma tools ignore it.

    Args:
        code: short id in the catalogue, such as `B2`.
        enabled: false for a rule that is shipped but waits for something; `waits_for` says what.
        alert: true alerts even when only correlations use the rule, false never does; as Sigma's `generate` says when
            absent.
        group_by: for a rule without correlation: alerts are told apart, and kept quiet, by these fields.
        suppress: quiet time of a group after an alert, such as `10m`; a correlation's default is its timespan, a
            rule's none; `none` keeps firing.
        reset: after an alert the group starts anew.
        holds_back: codes of rules that this rule explains: while it is active their alerts are held back.
        absence: alert when a group that was seen stays silent for so long.
        share: for a correlation that counts.
    """

    code: str = ""
    enabled: bool = True
    waits_for: str = ""
    alert: bool | None = None
    group_by: tuple[str, ...] = ()
    suppress: str = ""
    reset: bool = False
    holds_back: tuple[str, ...] = ()
    absence: str = ""
    new_terms: NewTermsText | None = None
    statistical: StatisticalText | None = None
    step: StepText | None = None
    dormant: DormantText | None = None
    travel: TravelText | None = None
    stepping: SteppingText | None = None
    share: ShareText | None = None
    response: Proposal | None = None
    examples: tuple[Example, ...] = ()


class Meta(Struct, frozen=True, kw_only=True):
    """What a rule says about itself.

    Args:
        id: its UUID.
        name: the word by which correlations refer to it; may be empty.
        suppress_us: quiet time of a group after an alert, µs.
        alert: what the rule itself says about raising alerts, None for nothing.
        alerts: whether it raises alerts of its own.
        techniques: ATT&CK ids (`T1606`); `tactics` their tactics' names; `owasp` items of the API Top 10 (2023).
        line: where it starts in `file`.
    """

    id: str
    title: str
    level: Level
    file: str
    line: int
    code: str = ""
    name: str = ""
    status: str = ""
    description: str = ""
    author: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    owasp: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    enabled: bool = True
    waits_for: str = ""
    alert: bool | None = None
    alerts: bool = True
    group_by: tuple[str, ...] = ()
    suppress_us: int = 0
    reset: bool = False
    holds_back: tuple[str, ...] = ()
    response: Proposal | None = None
    examples: tuple[Example, ...] = ()


class Rule(Struct, frozen=True, kw_only=True):
    """A rule on single events, or on what a group of them usually does (`watch`)."""

    meta: Meta
    predicate: Predicate
    watch: Watch | None = None


class Share(Struct, frozen=True, kw_only=True):
    """What is counted must be `percent` of itself and of what the rule `against` (an id) counts."""

    against: str
    percent: int


class Correlation(Struct, frozen=True, kw_only=True):
    """A rule on several events.

    Args:
        rules: ids of the rules (or correlations) it looks at, in their written order.
        span_us: length of the sliding window, µs, both ends included.
        aliases: for a field of `group-by`, what it is called in the events of each rule (by id).
        allow: events that fit it are not seen by this rule; the operator's, no rule file says it.
    """

    meta: Meta
    shape: Shape
    rules: tuple[str, ...]
    span_us: int
    aliases: dict[str, dict[str, str]] = {}
    share: Share | None = None
    allow: Predicate | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Every rule whose events it takes."""
        return (*self.rules, self.share.against) if self.share else self.rules


class Loaded(Struct, frozen=True, kw_only=True):
    """What a set of rule files came to.

    Args:
        correlations: every one after those it refers to.
        refused: one error for each rule that is not in use, naming file, line and column.
    """

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    refused: tuple[RuleError, ...] = ()
