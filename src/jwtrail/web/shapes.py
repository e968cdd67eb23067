"""What goes over the wire: one frozen Struct for each answer of the HTTP API.

Times are µs since the Unix epoch (`*_us`), which JavaScript numbers hold exactly; an event is the flat ECS document of the trail,
with its times as text. Nothing here imports another room but `ecs` and `state`, so that the contract stands alone.
"""

from typing import Any, Literal

from msgspec import Struct, field

from jwtrail.state.records import AlertStatus, RevocationKind

__all__ = [
    "ActionView",
    "AlertDetail",
    "AlertView",
    "AlertsPage",
    "BlastRadius",
    "Bucket",
    "DetectorStatus",
    "Document",
    "EventsPage",
    "Failure",
    "FailureBody",
    "FieldView",
    "FieldsPage",
    "Histogram",
    "Proof",
    "RefusedRule",
    "RestraintView",
    "RevocationView",
    "RevocationsPage",
    "RuleView",
    "RulesPage",
    "SessionView",
    "Status",
    "TopValue",
    "TopValues",
    "TrailState",
    "TrailStatus",
]

Document = dict[str, Any]
"""An event as a flat JSON object with dotted ECS names."""

Level = Literal["informational", "low", "medium", "high", "critical"]
TrailState = Literal["intact", "unsigned", "broken", "unverified"]


class TrailStatus(Struct, frozen=True, kw_only=True):
    """Whether the trail can be trusted.

    Args:
        state: `intact` verified and signed; `unsigned` no checkpoint yet; `broken` does not match what was signed;
            `unverified` signed, but nobody has looked since the start.
        size: events under the checkpoint.
        root: root hash, base64.
        signed_us: when the checkpoint was signed.
        origin: name of the log.
        vkey: verifier key, to check proofs anywhere.
        verified_us: when it was last recomputed.
        detail: one sentence for people.
    """

    state: TrailState
    size: int = 0
    root: str = ""
    signed_us: int | None = None
    origin: str = ""
    vkey: str = ""
    verified_us: int | None = None
    detail: str = ""


class DetectorStatus(Struct, frozen=True, kw_only=True):
    """Detection: rules that run, rules that were refused, time from the last event to its judgement."""

    rules: int = 0
    refused: int = 0
    lag_ms: int = 0


class Status(Struct, frozen=True, kw_only=True):
    """The daemon at a glance.

    Args:
        size: events in the trail, also those not signed yet.
        position: index that the next event gets; `tail` and cursors compare with it.
        events_per_minute: over the last minute.
        kibana: `kibana?q=…&from=…&to=…` leads to Discover.
    """

    version: str
    service: str
    size: int
    segments: int
    position: int
    started_us: int
    now_us: int
    events_per_minute: int
    open_alerts: int
    live_revocations: int
    kibana: bool
    trail: TrailStatus
    detector: DetectorStatus


class EventsPage(Struct, frozen=True, kw_only=True):
    """Events, newest first, unless said otherwise.

    Args:
        next: cursor of the following page; absent on the last one.
        took_ms: time to answer.
        opened: segments that had to be read.
        position: size of the trail that was searched.
    """

    events: tuple[Document, ...]
    next: str | None = None
    took_ms: int = 0
    opened: int = 0
    position: int = 0
    from_us: int | None = None
    to_us: int | None = None


class Bucket(Struct, frozen=True, kw_only=True):
    """One bar, by outcome."""

    start_us: int
    success: int = 0
    failure: int = 0
    unknown: int = 0


class Histogram(Struct, frozen=True, kw_only=True):
    """Bars without gaps; the first begins at or before `from_us`."""

    interval_us: int
    from_us: int
    to_us: int
    buckets: tuple[Bucket, ...]


class TopValue(Struct, frozen=True, kw_only=True):
    """A value as text and how many events carry it."""

    value: str
    count: int


class TopValues(Struct, frozen=True, kw_only=True):
    """Most frequent first; `other` events carry a value not listed, `missing` none."""

    field_: str = field(name="field")
    values: tuple[TopValue, ...]
    other: int = 0
    missing: int = 0


class Proof(Struct, frozen=True, kw_only=True):
    """Why an event is in the trail, checked here and checkable anywhere.

    Args:
        entry: the 81 bytes in the tree, base64.
        leaf_hash: base64.
        path: audit path (RFC 9162 section 2.1.3), base64, leaf side first.
        checkpoint: the signed note.
        proof: the whole as a `.tlog-proof` file (C2SP tlog-proof), with the entry on its `extra` line.
        salt: of the personal commitment, base64: whoever has it can check the personal fields too; empty once the person was erased.
        verified: path, root and signature fit together.
    """

    event_id: str
    index: int
    size: int
    entry: str
    leaf_hash: str
    path: tuple[str, ...]
    root: str
    checkpoint: str
    vkey: str
    proof: str
    salt: str
    verified: bool


class AlertView(Struct, frozen=True, kw_only=True):
    """An alert and its triage.

    Args:
        at_us: time of the event that completed it; `first_us` of the first one.
        group: the field values it fired for.
        targets: on whom one may act: verified `jti`, `family`, `subject` of the completing event, and its `source`.
        events: ids of the events that completed it, oldest first; at most 100.
        count: how many there were.
        lag_ms: time from the completing event to the alert.
        response: what its rule proposes, in words; empty when nothing.
        reason: why it was closed.
    """

    id: str
    rule_id: str
    rule_code: str = ""
    rule_name: str
    level: Level
    status: AlertStatus
    at_us: int
    first_us: int | None = None
    group: dict[str, str] = {}
    events: tuple[str, ...] = ()
    count: int = 0
    tags: tuple[str, ...] = ()
    lag_ms: int | None = None
    targets: dict[str, str] = {}
    response: str = ""
    description: str = ""
    assignee: str = ""
    reason: str = ""
    note: str = ""
    changed_us: int | None = None


class AlertsPage(Struct, frozen=True, kw_only=True):
    """Alerts, newest first, and how many there are of each status."""

    alerts: tuple[AlertView, ...]
    next: int | None = None
    counts: dict[str, int] = {}


class ActionView(Struct, frozen=True, kw_only=True):
    """An answer that was given to an alert, or that would have been (`dry_run`)."""

    event_id: str
    kind: str
    target: str
    at_us: int
    until_us: int | None = None
    dry_run: bool = False
    message: str = ""


class RuleView(Struct, frozen=True, kw_only=True):
    """A rule that is loaded.

    Args:
        code: short id, such as `B2`.
        kind: `event` looks at one event, the others at several.
        file: where it came from.
        source: the rule as YAML.
        response: what it proposes to do, in words.
    """

    id: str
    code: str = ""
    name: str
    level: Level
    kind: str = "event"
    enabled: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    response: str = ""
    file: str = ""
    source: str = ""


class RefusedRule(Struct, frozen=True, kw_only=True):
    """A rule that was not loaded, and where it is wrong."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""


class RulesPage(Struct, frozen=True, kw_only=True):
    """The rule set."""

    rules: tuple[RuleView, ...]
    refused: tuple[RefusedRule, ...] = ()


class AlertDetail(Struct, frozen=True, kw_only=True):
    """Everything about one alert; `events` are oldest first."""

    alert: AlertView
    rule: RuleView | None
    events: tuple[Document, ...]
    actions: tuple[ActionView, ...]


class RevocationView(Struct, frozen=True, kw_only=True):
    """A revocation in force."""

    kind: RevocationKind
    value: str
    at_us: int
    until_us: int
    cause: str
    by: str
    alert: str = ""


class RestraintView(Struct, frozen=True, kw_only=True):
    """A throttle, or with `per_minute` 0 a block, in force."""

    id: str
    field_: str = field(name="field")
    value: str
    at_us: int
    until_us: int
    per_minute: int
    route: str = ""
    unauthenticated_only: bool = False
    alert: str = ""


class RevocationsPage(Struct, frozen=True, kw_only=True):
    """What is denied at this moment, newest first."""

    revocations: tuple[RevocationView, ...]
    restraints: tuple[RestraintView, ...] = ()


class BlastRadius(Struct, frozen=True, kw_only=True):
    """What a revocation would hit.

    Args:
        live_tokens: tokens that would stop working.
        families: sign-ins (devices) they belong to.
        subjects: users they belong to.
        last_seen_us: newest request with one of them in the last 24 hours; absent when none.
        last_source: address it came from.
        revoked: it is revoked already.
    """

    kind: RevocationKind
    value: str
    live_tokens: int
    families: int = 0
    subjects: int = 0
    last_seen_us: int | None = None
    last_source: str = ""
    revoked: bool = False


class FieldView(Struct, frozen=True, kw_only=True):
    """A field one can ask for; `values` when the list is closed."""

    name: str
    type: str
    many: bool
    klass: str
    doc: str
    values: tuple[str, ...] = ()


class FieldsPage(Struct, frozen=True, kw_only=True):
    """The catalogue."""

    version: int
    fields: tuple[FieldView, ...]
    default: tuple[str, ...]


class SessionView(Struct, frozen=True, kw_only=True):
    """Who is signed in; `csrf` goes into `X-CSRF-Token` of every unsafe request."""

    user: str
    csrf: str
    expires_us: int


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong. The numbers are there for a query that does not parse.

    Args:
        code: stable word.
        start: offset of the first wrong character, in code points; `end` behind the last one.
        caret: the wrong line and, below it, carets.
    """

    code: str
    message: str
    where: str = ""
    hint: str = ""
    line: int | None = None
    column: int | None = None
    start: int | None = None
    end: int | None = None
    caret: str | None = None


class FailureBody(Struct, frozen=True, kw_only=True):
    """Every answer that is not a success."""

    error: Failure
