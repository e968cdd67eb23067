"""From alerts to actions. Pure: settings, alerts and what is known of an address in, actions out.

Two rules over all: only what was verified is acted on (`Alert.targets`, never a claim of an unverified token), and every
action takes the narrowest key it was given and ends.
"""

import ipaddress
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from jwtrail.detect import Alert
from jwtrail.detect.alert import titled
from jwtrail.respond.action import REVOKES, Action
from jwtrail.respond.settings import Answer, RespondSettings
from jwtrail.state.records import RevocationKind

__all__ = ["LONGEST_US", "SHARED_PER_MINUTE", "SHARED_USERS", "Ends", "longest", "plan", "spared"]

SHARED_USERS = 4
"""Users behind one address from which on it is never blocked, and who there succeeded says nothing (RULES.md: more than
three in the last day)."""

SHARED_PER_MINUTE = 30
"""What a shared address may still ask without a valid token, a minute, in place of a block."""

LONGEST_US = 400 * 86_400 * 1_000_000
"""Longer than any setting lets a token or a sign-in live: how long a revocation is kept when nobody knows better."""

Ends = Callable[[RevocationKind, str, int], int]
"""When a revocation made at a time (µs) may be forgotten: after the last token that it concerns."""

_FIELDS = {"jti": "jwt.jti", "family": "jwt.family", "user": "user.id", "source": "source.ip"}


def longest(_kind: RevocationKind, _value: str, at_us: int) -> int:
    """The `Ends` of those who know nothing of the tokens: never too early."""
    return at_us + LONGEST_US


def plan(
    settings: RespondSettings,
    alerts: Iterable[Alert],
    shared_sources: Callable[[str], int],
    ends: Ends = longest,
) -> tuple[Action, ...]:
    """One action for each alert that has an answer.

    Args:
        shared_sources: how many users were lately seen behind an address.
        ends: of revocations.
    """
    made = []
    for alert in alerts:
        answer = _answer(settings, alert)
        if answer is None:
            continue
        if alert.held:
            made.append(_notice(alert, f"held back while {alert.held} is active", dry_run=True))
        elif why := spared(settings, alert):
            made.append(_notice(alert, why, dry_run=answer.dry_run or settings.dry_run))
        else:
            made.append(_action(settings, alert, answer, shared_sources, ends))
    return tuple(made)


def _answer(settings: RespondSettings, alert: Alert) -> Answer | None:
    """What is set for the rule; else its own proposal, which is only said."""
    chosen = settings.answer_for(alert.rule, alert.code)
    if chosen is not None or alert.proposal is None:
        return chosen
    proposal = alert.proposal
    return Answer(kind=proposal.kind, target=proposal.target, minutes=proposal.minutes, dry_run=True)


def spared(settings: RespondSettings, alert: Alert) -> str:
    """Why nothing is done about an alert, nor anybody told: who caused it is on an allow-list. Empty when it is not so."""
    who = alert.targets
    if who.user and who.user in settings.allow_users:
        return "the user is on the allow-list"
    try:
        address = ipaddress.ip_address(who.source)
    except ValueError:
        return ""
    networks = map(ipaddress.ip_network, settings.allow_sources)
    return "the source is on the allow-list" if any(address in network for network in networks) else ""


def _action(
    settings: RespondSettings,
    alert: Alert,
    answer: Answer,
    shared_sources: Callable[[str], int],
    ends: Ends,
) -> Action:
    dry_run = answer.dry_run or settings.dry_run
    if answer.kind == "notify":
        return _notice(alert, "", dry_run=dry_run)
    field = _FIELDS[answer.target]
    value: str = getattr(alert.targets, answer.target)
    if not value:
        return _notice(alert, f"the event carries no verified {field}", dry_run=dry_run)
    shared = bool(alert.targets.source) and shared_sources(alert.targets.source) >= SHARED_USERS
    if answer.kind == "revoke" and answer.spare_shared and shared:
        return _notice(alert, "several users share this address", dry_run=dry_run)
    action = Action(
        alert=alert.id,
        rule=alert.rule,
        rule_name=titled(alert),
        kind=answer.kind,
        field=field,
        value=value,
        at_us=alert.at_us,
        until_us=_end_us(settings, alert, answer, ends),
        dry_run=dry_run,
    )
    if answer.kind == "revoke":
        return action
    if answer.kind == "exec":
        return replace(action, hook=answer.hook)
    action = replace(
        action,
        per_minute=0 if answer.kind == "block" else answer.per_minute,
        route=alert.targets.route if answer.same_route else "",
        unauthenticated_only=answer.target == "source" and answer.unauthenticated_only,
    )
    return _gentle(action) if answer.target == "source" and shared else action


def _gentle(action: Action) -> Action:
    """What an address gets that an office or a carrier shares: never a block, never for signed-in users."""
    return replace(
        action,
        kind="throttle",
        per_minute=max(action.per_minute, SHARED_PER_MINUTE),
        unauthenticated_only=True,
        why="several users share this address",
    )


def _end_us(settings: RespondSettings, alert: Alert, answer: Answer, ends: Ends) -> int:
    if answer.kind == "revoke":
        return ends(REVOKES[_FIELDS[answer.target]], getattr(alert.targets, answer.target), alert.at_us)
    return alert.at_us + min(answer.minutes, settings.max_minutes) * 60_000_000


def _notice(alert: Alert, why: str, *, dry_run: bool) -> Action:
    return Action(
        alert=alert.id,
        rule=alert.rule,
        rule_name=titled(alert),
        kind="notify",
        at_us=alert.at_us,
        until_us=alert.at_us,
        dry_run=dry_run,
        why=why,
    )
