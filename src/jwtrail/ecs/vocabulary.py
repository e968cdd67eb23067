"""The closed list of actions, and the one way to make an event of them."""

from typing import Any, Literal

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.ecs.clean import MAX_ITEMS, clean, clean_many
from jwtrail.ecs.event import Event
from jwtrail.ecs.ids import uuid7

__all__ = ["ACTIONS", "ECS_VERSION", "Action", "Dataset", "event_for"]

ECS_VERSION = "9.2.0"
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
_TEXTS = frozenset(
    f.attribute for f in CATALOGUE.values() if f.type not in ("long", "boolean", "flattened") and not f.many
)
_LISTS = frozenset(f.attribute for f in CATALOGUE.values() if f.many)
_LONGS = frozenset(f.attribute for f in CATALOGUE.values() if f.type == "long")
_FLATTENED = frozenset(f.attribute for f in CATALOGUE.values() if f.type == "flattened")


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
    known = ACTIONS.get(action)
    flags = flags if flags is not None else set()
    now = at_us if at_us is not None else clock.now_us()
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        if name in _TEXTS:
            made[name] = clean(value, flags)
        elif name in _LISTS:
            made[name] = clean_many(value, flags)
        elif name in _LONGS:
            made[name] = max(-_MAX_LONG, min(_MAX_LONG, value))
        elif name in _FLATTENED:
            made[name] = _flattened(value, flags)
        else:
            made[name] = value
    made.setdefault("event_type", known.type if known else ("info",))
    made.setdefault("event_category", known.category if known else ("api",))
    made.setdefault("event_outcome", "success")
    if flags:
        made["jwtrail_flags"] = tuple(sorted(flags | set(made.get("jwtrail_flags", ()))))
    return Event(
        timestamp=clock.iso(now),
        event_id=uuid7(),
        event_action=clean(action, flags),
        event_dataset=known.dataset if known else "jwtrail.audit",
        event_kind=known.kind if known else "event",
        event_module="jwtrail",
        ecs_version=ECS_VERSION,
        **made,
    )


def _flattened(leaves: dict[str, Any], flags: set[str]) -> dict[str, str]:
    """Leaves are keywords; names sorted by UTF-16 code units, as RFC 8785 section 3.2.3 wants them."""
    kept = [
        (clean(str(key), flags), clean(str(leaf), flags)) for key, leaf in list(leaves.items())[:MAX_ITEMS]
    ]
    return dict(sorted(kept, key=lambda pair: pair[0].encode("utf-16-be")))
