"""What a channel is given: one alert, told the same way to each, with what was done about it."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from jwtrail.detect import Alert, event_of, group_text
from jwtrail.detect.alert import SEVERITY, titled
from jwtrail.ecs import document
from jwtrail.respond.action import Action
from jwtrail.respond.events import sentence
from jwtrail.respond.notify.settings import Channel
from jwtrail.state.outbox import Delivery

__all__ = ["HOOK", "Notice", "Sender", "deliveries_of", "delivery_of", "notice_of"]

HOOK = "hook:"
"""In front of a hook's name, where a channel's name would stand."""


class Notice(Struct, frozen=True, kw_only=True):
    """An alert for people and machines outside. Texts may come from an attacker: show them as text, never as markup.

    Args:
        id: of this delivery; the same in every try, so that a receiver can tell a repetition.
        alert: id of the alert; `code` and `rule` whose it is, `title` its name.
        at: event time of the event that completed it, RFC 3339.
        group: for whom the rule fired, `field=value` joined by commas.
        count: events, values or rules that were counted.
        actions: what was done or would be, one sentence each.
        event: the alert as an ECS document, as the trail holds it.
        action: for a hook, what it is asked to do: `target` (`field=value`) and `until`.
        link: its page in the console; empty when that has no public address.
        test: true when somebody tries the channel out.
        held: of a summary: how many alerts were held back because the channel was told enough; it has no `alert` and no
            `event` of its own. 0 for an alert.
    """

    id: str
    alert: str
    code: str
    rule: str
    title: str
    level: str
    at: str
    description: str = ""
    group: str = ""
    count: int = 0
    actions: tuple[str, ...] = ()
    event: dict[str, Any] = {}
    action: dict[str, str] = {}
    link: str = ""
    test: bool = False
    held: int = 0


class Sender(Protocol):
    """A channel that can be used.

    Raises:
        NotifyError: it did not go out; `final` when trying again cannot help.
    """

    def __call__(self, notice: Notice) -> None:
        """Tell it; returns when the other side has taken it."""


def notice_of(channel: str, alert: Alert, actions: Iterable[Action], *, console: str = "") -> Notice:
    """What a channel is told about an alert.

    Args:
        console: public address of the console, for a link.
    """
    doc = document(event_of(alert))
    return Notice(
        id=sha256(f"{alert.id}\0{channel}".encode()).hexdigest()[:32],
        alert=alert.id,
        code=alert.code,
        rule=alert.rule,
        title=titled(alert),
        level=alert.level,
        at=str(doc["@timestamp"]),
        description=" ".join(alert.description.split()),
        group=group_text(alert.group),
        count=alert.count,
        actions=tuple(sentence(action) for action in actions),
        event=doc,
        link=f"{console.rstrip('/')}/alerts/{alert.id}" if console else "",
    )


def delivery_of(channel: str, notice: Notice, now_us: int) -> Delivery:
    """A notice as a row of the outbox, due now."""
    return Delivery(
        id=notice.id,
        channel=channel,
        alert=notice.alert,
        doc=msgspec.json.encode(notice).decode(),
        at_us=now_us,
        due_us=now_us,
    )


def deliveries_of(
    channels: Mapping[str, Channel],
    alert: Alert,
    actions: Sequence[Action],
    *,
    now_us: int,
    console: str = "",
) -> list[Delivery]:
    """Who is told about an alert, and which hooks run."""
    made = [
        delivery_of(name, notice_of(name, alert, actions, console=console), now_us)
        for name, channel in channels.items()
        if _wants(channel, alert)
    ]
    for action in actions:
        if action.kind == "exec" and not action.dry_run:
            name = HOOK + action.hook
            asked = {"target": action.target, "until_us": str(action.until_us)}
            notice = notice_of(f"{name}\0{action.id}", alert, (action,), console=console)
            made.append(delivery_of(name, msgspec.structs.replace(notice, action=asked), now_us))
    return made


def _wants(channel: Channel, alert: Alert) -> bool:
    if alert.held and not channel.held:
        return False
    if channel.rules:
        return alert.code in channel.rules or alert.rule in channel.rules
    return SEVERITY[alert.level] >= SEVERITY[channel.min_level]
