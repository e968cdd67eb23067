"""The one table of panels: every question that the dashboards answer."""

from jwtrail.ecs.reasons import REASONS
from jwtrail.ship.saved.panel import Measure, Panel, filters, percentiles, terms, time

__all__ = [
    "ALERTS",
    "ANSWERED",
    "EXPORTED",
    "INTEGRITY",
    "PANELS",
    "REJECTED",
    "REVOKED",
    "SIGN_IN",
    "of_class",
]

COUNT = Measure("count", "Count")
LAST = Measure("max", "Last", "@timestamp")

REQUESTS = "event.action: http-request"
REJECTED = f"{REQUESTS} and event.reason: *"
ALERTS = "event.action: alert-raised"
REVOKED = (
    "event.action: (token-revoked or family-revoked or subject-revoked or client-revoked or key-revoked "
    "or response-revoke) and not jwtrail.response.dry_run: true"
)
ANSWERED = "event.action: (response-revoke or response-throttle or response-block)"
EXPORTED = "event.action: (data-exported or console-export or trail-exported)"
SIGN_IN = "event.action: login"
INTEGRITY = (
    "event.action: (trail-verified or trail-broken or trail-pruned or subject-erased or logging-gap or logging-stopped "
    "or logging-paused)"
)

_CLASSES = {
    "forged": "Forged",
    "suspicious": "Suspicious",
    "broken_client": "Broken client",
    "routine": "Routine",
    "sign_in": "Sign-in",
}


def of_class(name: str) -> str:
    codes = [reason.code for reason in REASONS.values() if reason.klass == name]
    return f"event.reason: ({' or '.join(codes)})"


BY_CLASS = filters("Class", *((label, of_class(name)) for name, label in _CLASSES.items()))

PANELS: tuple[Panel, ...] = (
    # Overview
    Panel(
        id="traffic", title="Traffic", shape="metric", query=REQUESTS, width=16,
        question="How many accesses were there, by how many users, from how many addresses?",
        measures=(
            Measure("count", "Accesses"),
            Measure("cardinality", "Users", "user.id"),
            Measure("cardinality", "Addresses", "source.ip"),
        ),
    ),
    Panel(
        id="outcomes", title="Accesses over time by outcome", shape="histogram", query=REQUESTS, width=32,
        question="When was the service used, and how much of it failed?",
        measures=(Measure("count", "Accesses"),), splits=(time(), terms("event.outcome", "Outcome", 3)),
    ),
    Panel(
        id="status-heat-map", title="Status codes over time", shape="heatmap", query=REQUESTS,
        question="Which status codes were sent when?",
        measures=(Measure("count", "Answers"),),
        splits=(time(), terms("http.response.status_code", "Status", 15, by_key=True)),
    ),
    Panel(
        id="latency", title="Latency", shape="line", query=REQUESTS,
        question="How long did half, 95 and 99 percent of the requests take?",
        measures=(percentiles("event.duration", "Duration", 50, 95, 99),), splits=(time(),),
    ),
    Panel(
        id="top-routes", title="Busiest routes", shape="table", query=f"{REQUESTS} and http.route: *",
        question="Which routes are used most, how slow are they, and how much do they send?",
        measures=(COUNT, percentiles("event.duration", "Duration", 95), Measure("sum", "Sent", "http.response.bytes")),
        splits=(terms("http.route", "Route"),),
    ),
    Panel(
        id="top-users", title="Busiest users", shape="table", query=f"{REQUESTS} and user.id: *",
        question="Who uses the service most, from how many addresses, and when last?",
        measures=(COUNT, Measure("cardinality", "Addresses", "source.ip"), LAST),
        splits=(terms("user.id", "User"),),
    ),
    Panel(
        id="top-addresses", title="Busiest addresses", shape="table", query=f"{REQUESTS} and source.ip: *",
        question="Which addresses ask most, as how many users, and when last?",
        measures=(COUNT, Measure("cardinality", "Users", "user.id"), LAST),
        splits=(terms("source.ip", "Address"),),
    ),
    Panel(
        id="top-clients", title="Busiest clients", shape="table", query=f"{REQUESTS} and jwt.client_id: *",
        question="Which OAuth clients ask most, for how many users?",
        measures=(COUNT, Measure("cardinality", "Users", "user.id"), LAST),
        splits=(terms("jwt.client_id", "Client"),),
    ),
    Panel(
        id="top-agents", title="Busiest programs", shape="table", query=f"{REQUESTS} and user_agent.original: *",
        question="Which programs ask most, from how many addresses?",
        measures=(COUNT, Measure("cardinality", "Addresses", "source.ip"), LAST),
        splits=(terms("user_agent.original", "User agent"),),
    ),
    Panel(
        id="integrity", title="Integrity of the trail", shape="table", query=INTEGRITY,
        question="Was the trail verified, broken, pruned or interrupted, and when last?",
        measures=(COUNT, LAST), splits=(terms("event.action", "What", 10), terms("event.outcome", "Outcome", 3)),
    ),
    # Tokens and authentication
    Panel(
        id="token-life", title="Tokens", shape="metric", query="event.dataset: jwtrail.*", width=48, height=8,
        question="How many tokens were issued, exchanged, used twice and revoked, and how many were turned away?",
        measures=(COUNT,),
        splits=(
            filters(
                "What",
                ("Issued", "event.action: token-issued"),
                ("Exchanged", "event.action: token-refreshed"),
                ("Refresh tokens used twice", "event.action: refresh-reused"),
                ("Revoked", REVOKED),
                ("Rejected", REJECTED),
            ),
        ),
    ),
    Panel(
        id="reasons-over-time", title="Rejections over time by reason", shape="histogram", query=REJECTED, width=32,
        question="When were tokens turned away, and why?",
        measures=(Measure("count", "Rejections"),), splits=(time(), terms("event.reason", "Reason", 12)),
    ),
    Panel(
        id="rejection-classes", title="Rejections by class", shape="pie", query=REJECTED, width=16,
        question="How many rejections were forgeries, suspicious, broken clients, or everyday life?",
        measures=(Measure("count", "Rejections"),), splits=(BY_CLASS,),
    ),
    Panel(
        id="reasons", title="Reasons", shape="table", query=REJECTED,
        question="Which reasons are commonest, from how many addresses, and when last?",
        measures=(COUNT, Measure("cardinality", "Addresses", "source.ip"), LAST),
        splits=(terms("event.reason", "Reason", 20),),
    ),
    Panel(
        id="rejected-addresses", title="Addresses with rejected tokens", shape="table",
        query=f"{REJECTED} and source.ip: *",
        question="Which addresses send tokens that are turned away, with how many different reasons?",
        measures=(COUNT, Measure("cardinality", "Reasons", "event.reason"), LAST),
        splits=(terms("source.ip", "Address"),),
    ),
    Panel(
        id="sign-ins", title="Sign-ins over time", shape="histogram", query=SIGN_IN,
        question="When did people sign in, and how often did it fail?",
        measures=(Measure("count", "Sign-ins"),), splits=(time(), terms("event.outcome", "Outcome", 3)),
    ),
    Panel(
        id="failed-names", title="Failed sign-ins by name", shape="table",
        query=f"{SIGN_IN} and event.outcome: failure and user.name: *",
        question="Which names fail to sign in, from how many addresses?",
        measures=(COUNT, Measure("cardinality", "Addresses", "source.ip"), LAST),
        splits=(terms("user.name", "Name"),),
    ),
    Panel(
        id="issued", title="Issued and exchanged over time", shape="area",
        query="event.action: (token-issued or token-refreshed)",
        question="When are tokens issued and exchanged?",
        measures=(Measure("count", "Tokens"),), splits=(time(), terms("event.action", "What", 2)),
    ),
    Panel(
        id="refresh-reuse", title="Refresh tokens used twice", shape="table", query="event.action: refresh-reused",
        question="Whose refresh tokens were used again after they had been exchanged?",
        measures=(COUNT, Measure("cardinality", "Addresses", "source.ip"), LAST),
        splits=(terms("user.id", "User"),),
    ),
    Panel(
        id="revocations", title="Revocations over time", shape="histogram", query=REVOKED,
        question="When were tokens, sign-ins, users, clients and keys revoked?",
        measures=(Measure("count", "Revocations"),), splits=(time(), terms("event.action", "What", 6)),
    ),
    Panel(
        id="algorithms", title="Algorithms and keys", shape="table", query=f"{REQUESTS} and jwt.alg: *",
        question="Which algorithms and keys do the tokens name?",
        measures=(COUNT, LAST), splits=(terms("jwt.alg", "Algorithm"), terms("jwt.kid", "Key", 5)),
    ),
    # Attacks and responses
    Panel(
        id="attack-numbers", title="Alerts and answers", shape="metric", query="event.dataset: jwtrail.*", width=24,
        height=8, question="How many alerts were raised, and what was done about them?",
        measures=(COUNT,),
        splits=(
            filters(
                "What",
                ("Alerts", ALERTS),
                ("Critical and high", f"{ALERTS} and jwtrail.alert.severity: (critical or high)"),
                ("Answers", f"{ANSWERED} and not jwtrail.response.dry_run: true"),
            ),
        ),
    ),
    Panel(
        id="time-to-revoke", title="Time to revoke", shape="metric", query="event.action: response-revoke", width=24,
        height=8, question="How long did it take from the decisive request until the token was revoked?",
        measures=(percentiles("jwtrail.lag_ms", "Time to revoke", 50, 95), Measure("max", "Slowest", "jwtrail.lag_ms")),
    ),
    Panel(
        id="alerts-over-time", title="Alerts over time by severity", shape="histogram", query=ALERTS, width=32,
        question="When were alerts raised, and how bad were they?",
        measures=(Measure("count", "Alerts"),), splits=(time(), terms("jwtrail.alert.severity", "Severity", 5)),
    ),
    Panel(
        id="severities", title="Alerts by severity", shape="pie", query=ALERTS, width=16,
        question="How bad were the alerts?",
        measures=(Measure("count", "Alerts"),), splits=(terms("jwtrail.alert.severity", "Severity", 5),),
    ),
    Panel(
        id="techniques", title="Alerts by ATT&CK technique", shape="table",
        query=f"{ALERTS} and threat.technique.id: *",
        question="Which techniques of MITRE ATT&CK were seen, by which rules?",
        measures=(COUNT, LAST), splits=(terms("threat.technique.id", "Technique"), terms("rule.name", "Rule", 5)),
    ),
    Panel(
        id="rules", title="Rules that fired", shape="table", query=ALERTS,
        question="Which rules fired, how bad were they, and for how many groups?",
        measures=(COUNT, Measure("cardinality", "Groups", "jwtrail.alert.group"), LAST),
        splits=(terms("rule.name", "Rule", 20), terms("jwtrail.alert.severity", "Severity", 1)),
    ),
    Panel(
        id="answers", title="Answers over time", shape="histogram", query=ANSWERED,
        question="When were tokens revoked, users held back and addresses blocked by themselves?",
        measures=(Measure("count", "Answers"),), splits=(time(), terms("jwtrail.response.kind", "Answer", 5)),
    ),
    Panel(
        id="revoke-lag", title="Time to revoke over time", shape="line", query="event.action: response-revoke",
        question="Does the answer get slower?",
        measures=(percentiles("jwtrail.lag_ms", "Time to revoke", 50, 95),), splits=(time(),),
    ),
    Panel(
        id="targets", title="Who was answered", shape="table", query=ANSWERED,
        question="Whose tokens were revoked, or who was held back, by which rules?",
        measures=(COUNT, LAST), splits=(terms("jwtrail.response.target", "Target"), terms("rule.name", "Rule", 3)),
    ),
    Panel(
        id="forgers", title="Addresses that forge", shape="table", query=f"{of_class('forged')} and source.ip: *",
        question="Which addresses send tokens that nobody sends by mistake?",
        measures=(COUNT, LAST), splits=(terms("source.ip", "Address"), terms("event.reason", "Reason", 3)),
    ),
    Panel(
        id="exports", title="Data exports over time", shape="histogram", query=EXPORTED,
        question="When were data exported?",
        measures=(Measure("count", "Exports"),), splits=(time(), terms("event.action", "What", 3)),
    ),
    Panel(
        id="exporters", title="Who exported data", shape="table", query=f"{EXPORTED} and user.id: *",
        question="Who exported how many records, and when last?",
        measures=(COUNT, Measure("sum", "Records", "jwtrail.records"), LAST), splits=(terms("user.id", "User"),),
    ),
)  # fmt: skip
