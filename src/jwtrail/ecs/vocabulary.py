"""The closed list of actions, and the one way to make an event of them."""

from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs.clean import MAX_TEXT, clean, is_clean
from jwtrail.ecs.cleaned import cleaned, plain_fields
from jwtrail.ecs.codec import encode
from jwtrail.ecs.event import Event
from jwtrail.ecs.ids import uuid7

__all__ = ["ACTIONS", "ECS_VERSION", "IMPORTED", "Action", "Dataset", "event_for", "implied"]

ECS_VERSION = "9.2.0"

IMPORTED = "imported"
"""Tag of an event that was recorded elsewhere: it happened in the past, so nothing is answered because of it."""

Dataset = Literal["jwtrail.access", "jwtrail.audit", "jwtrail.alerts"]


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
trail-prune-refused     host                        info
legal-hold-begun        configuration,host          change
legal-hold-ended        configuration,host          change
subject-erased          host                        deletion
subject-restricted      host                        change
restriction-lifted      host                        change
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
    plain = plain_fields(fields)
    if plain is not None and (known is not None or len(action) <= MAX_TEXT):
        made = _event(known or _own(action), at, plain, flags)
        with suppress(UnicodeEncodeError):  # half a surrogate pair, which no UTF-8 can hold
            if is_clean(encode(made)):
                return made
    kept = cleaned(fields)
    own = known or _own(clean(action, flags))
    flags |= kept.flags
    return _event(own, at, kept.fields, flags)


def implied(action: Action) -> dict[str, Any]:
    """The attributes that every event of an action has, unless it says otherwise."""
    return {
        "event_action": action.name,
        "event_dataset": action.dataset,
        "event_kind": action.kind,
        "event_module": "jwtrail",
        "event_type": action.type,
        "event_category": action.category,
        "event_outcome": "success",
        "ecs_version": ECS_VERSION,
    }


def _own(action: str) -> Action:
    """An action of the application's own."""
    return Action(action, ("api",), ("info",))


def _event(action: Action, timestamp: str, fields: dict[str, Any], flags: set[str]) -> Event:
    made = {"timestamp": timestamp, "event_id": uuid7(), **implied(action), **fields}
    if flags:
        made["jwtrail_flags"] = tuple(sorted(flags | set(made.get("jwtrail_flags", ()))))
    return Event(**made)
