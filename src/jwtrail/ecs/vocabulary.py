"""The closed list of actions, and the one way to make an event of them."""

from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs.catalogue import CATALOGUE, Field
from jwtrail.ecs.clean import MAX_ITEMS, MAX_TEXT, clean, clean_many, is_clean
from jwtrail.ecs.codec import encode
from jwtrail.ecs.event import Event
from jwtrail.ecs.ids import uuid7

__all__ = ["ACTIONS", "ECS_VERSION", "IMPORTED", "Action", "Dataset", "event_for"]

ECS_VERSION = "9.2.0"

IMPORTED = "imported"
"""Tag of an event that was recorded elsewhere: it happened in the past, so nothing is answered because of it."""

Dataset = Literal["jwtrail.access", "jwtrail.audit", "jwtrail.alerts"]
_MAX_LONG = 2**53 - 1  # RFC 8785 section 3.2.2.3: beyond it not every reader sees the same number


class Action(Struct, frozen=True):
    """What can happen: its name, ECS categorisation and the data stream it goes to."""

    name: str
    category: tuple[str, ...]
    type: tuple[str, ...]
    dataset: Dataset = "jwtrail.audit"
    kind: str = "event"


_TABLE = """
http-request            web,api                     access             access
login                   authentication,session      start
token-issued            session                     start,info
token-refreshed         session                     start,info
reset-requested         authentication,iam          info,change
otp-sent                authentication,iam          info,change
mfa-verified            authentication,iam          info,change
factor-added            authentication,iam          info,change
factor-removed          authentication,iam          info,change
refresh-reused          session,authentication      denied
token-revoked           session,iam                 end
family-revoked          session,iam                 end
subject-revoked         session,iam                 end
client-revoked          session,iam                 end
key-revoked             session,iam,configuration   end
restraint-lifted        iam,configuration           change
revocation-undone       session,iam                 change
logout                  session,iam                 end
role-granted            iam                         change
role-removed            iam                         change
impersonation-started   iam                         change
data-exported           api                         access
key-created             configuration               creation
key-rotated             configuration               change
key-retired             configuration               deletion
jwks-fetched            configuration               info
jwks-failed             configuration               info
jwks-changed            configuration               change
config-changed          configuration,host          change
key-health              configuration,host          info
revocation-check-failed configuration,host          error
detector-dropped        configuration,host          error
logging-started         host                        start
logging-stopped         host                        end
logging-paused          host                        info
logging-gap             host                        info
trail-verified          host                        info
trail-broken            host                        info
trail-loss-accepted     host                        change
trail-witnessed         host                        info
witness-failed          host                        error
disk-low                host                        error
disk-recovered          host                        info
trail-pruned            host                        deletion
subject-erased          host                        deletion
trail-exported          host                        info
trail-imported          host                        info
console-search          iam,configuration           access
console-export          iam,configuration           access
rule-changed            iam,configuration           change
alert-changed           iam,configuration           change
console-login           iam,configuration           access
response-revoke         intrusion_detection         info,denied
response-throttle       intrusion_detection         info,denied
response-block          intrusion_detection         info,denied
response-notify         intrusion_detection         info
response-exec           intrusion_detection         info,denied
response-undone         intrusion_detection         info,change
notification-sent       intrusion_detection         info
notification-failed     intrusion_detection         info,error
alert-raised            intrusion_detection         info               alerts
"""


def _read() -> dict[str, Action]:
    made = {}
    for line in _TABLE.strip().splitlines():
        name, category, kinds, *dataset = line.split()
        made[name] = Action(
            name,
            tuple(category.split(",")),
            tuple(kinds.split(",")),
            f"jwtrail.{dataset[0]}" if dataset else "jwtrail.audit",  # type: ignore[arg-type]
            "alert" if dataset == ["alerts"] else "event",
        )
    return made


ACTIONS: dict[str, Action] = _read()
_TEXT, _TEXTS, _LONG, _LEAVES = "text", "texts", "long", "leaves"
"""What is done to a field; anything else is taken as it is."""


def _kind(field: Field) -> str:
    if field.many:
        return _TEXTS
    return {"long": _LONG, "flattened": _LEAVES, "boolean": ""}.get(field.type, _TEXT)


_KINDS = {field.attribute: _kind(field) for field in CATALOGUE.values()}


def event_for(
    action: str, *, at_us: int | None = None, flags: set[str] | None = None, **fields: Any
) -> Event:
    """An event of this action: id, time, categories and data set filled in, every text cleaned and bounded.

    Args:
        action: a name of `ACTIONS`; any other is taken as the application's own action in the audit data set.
        at_us: when it happened, µs since the epoch; now when absent.
        flags: oddities seen so far; the cleaning adds its own.
        **fields: attributes of `Event`; None leaves the field out.

    Raises:
        TypeError: a field that `Event` does not have.
    """
    flags = flags if flags is not None else set()
    known = ACTIONS.get(action)
    at = clock.iso(at_us if at_us is not None else clock.now_us())
    plain = _plain(fields)
    if plain is not None and (known is not None or len(action) <= MAX_TEXT):
        made = _event(known or _own(action), at, plain, flags)
        with suppress(UnicodeEncodeError):  # half a surrogate pair, which no UTF-8 can hold
            if is_clean(encode(made)):
                return made
    return _event(known or _own(clean(action, flags)), at, _cleaned(fields, flags), flags)


def _own(action: str) -> Action:
    """An action of the application's own."""
    return Action(action, ("api",), ("info",))


def _event(action: Action, timestamp: str, fields: dict[str, Any], flags: set[str]) -> Event:
    made = {
        "timestamp": timestamp,
        "event_id": uuid7(),
        "event_action": action.name,
        "event_dataset": action.dataset,
        "event_kind": action.kind,
        "event_module": "jwtrail",
        "event_type": action.type,
        "event_category": action.category,
        "event_outcome": "success",
        "ecs_version": ECS_VERSION,
        **fields,
    }
    if flags:
        made["jwtrail_flags"] = tuple(sorted(flags | set(made.get("jwtrail_flags", ()))))
    return Event(**made)


def _plain(fields: dict[str, Any]) -> dict[str, Any] | None:
    """The fields when types and lengths are as they must be, so that only what the texts hold is left to look at; else None."""
    made = {}
    for name, value in fields.items():
        if value is None:
            continue
        kind = _KINDS.get(name)
        if kind is _TEXT:
            if value.__class__ is not str or len(value) > MAX_TEXT:
                return None
        elif kind is _TEXTS:
            if value.__class__ is not tuple or not _are_plain(value):
                return None
        elif kind is _LONG:
            if not -_MAX_LONG <= value <= _MAX_LONG:
                return None
        elif kind is _LEAVES:
            return None
        made[name] = value
    return made


def _are_plain(texts: tuple[Any, ...]) -> bool:
    for text in texts:
        if text.__class__ is not str or len(text) > MAX_TEXT:
            return False
    return len(texts) <= MAX_ITEMS


def _cleaned(fields: dict[str, Any], flags: set[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        match _KINDS.get(name):
            case "text":
                made[name] = clean(value, flags)
            case "texts":
                made[name] = clean_many(value, flags)
            case "long":
                made[name] = max(-_MAX_LONG, min(_MAX_LONG, value))
            case "leaves":
                made[name] = _flattened(value, flags)
            case _:
                made[name] = value
    return made


def _flattened(leaves: dict[str, Any], flags: set[str]) -> dict[str, str]:
    """Leaves are keywords; names sorted by UTF-16 code units, as RFC 8785 section 3.2.3 wants them."""
    kept = [
        (clean(str(key), flags), clean(str(leaf), flags)) for key, leaf in list(leaves.items())[:MAX_ITEMS]
    ]
    return dict(sorted(kept, key=lambda pair: pair[0].encode("utf-16-be")))
