"""What was done, as an event of the trail."""

from collections.abc import Iterable

from msgspec.structs import replace

from jwtrail.clock import iso
from jwtrail.detect import Alert, event_of, stable_id
from jwtrail.ecs import Event, event_for
from jwtrail.respond.action import Action

__all__ = ["CAUGHT_UP", "response_event", "sentence", "story"]

CAUGHT_UP = "caught_up"
"""In `jwtrail.flags` of an alert whose events happened while nobody followed: its lag tells how long that was, not how slow
detection is."""


def story(alert: Alert, actions: Iterable[Action], *, now_us: int, since_us: int = 0) -> list[Event]:
    """The events that tell of an alert and of what was done; each with an id that follows from the alert.

    Args:
        since_us: since when the trail is followed; what happened before could only be found late.
    """
    raised = event_of(alert, now_us=now_us)
    if alert.at_us < since_us:
        raised = replace(raised, jwtrail_flags=(CAUGHT_UP,))
    return [raised, *(response_event(one, alert, now_us=now_us) for one in actions)]


def response_event(action: Action, alert: Alert, *, now_us: int) -> Event:
    """`response-revoke`, `-throttle`, `-block`, `-exec` or `-notify`, flagged so that no rule counts it."""
    who = alert.targets
    event = event_for(
        f"response-{action.kind}",
        at_us=now_us,
        flags={"self_inflicted"},
        message=sentence(action),
        rule_id=action.rule,
        rule_name=action.rule_name,
        jwtrail_alert_id=action.alert,
        jwtrail_response_kind=action.kind,
        jwtrail_response_target=action.target or None,
        jwtrail_response_alert=action.alert,
        jwtrail_response_until=iso(action.until_us) if action.until_us > action.at_us else None,
        jwtrail_response_dry_run=action.dry_run,
        jwtrail_lag_ms=max(0, (now_us - action.at_us) // 1000),
        http_route=action.route or None,
        jwt_jti=who.jti or None,
        jwt_family=who.family or None,
        user_id=who.user or None,
        source_ip=who.source or None,
    )
    return stable_id(event, action.id, action.at_us)


def sentence(action: Action) -> str:
    """What was done, or would be, in one line for people."""
    would = "would " if action.dry_run else ""
    tail = f" ({action.why})" if action.why else ""
    if action.kind == "notify":
        return f"{action.rule_name}: {'no answer' if action.why else 'told'}{tail}"
    if action.kind == "exec":
        return f"{action.rule_name}: {would}run {action.hook} for {action.target}{tail}"
    return f"{action.rule_name}: {would}{action.kind} {action.target} until {iso(action.until_us)}{tail}"
