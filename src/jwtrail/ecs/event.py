"""One event: a frozen record with one attribute for each field of docs/reference/fields.md.

**The order of the fields is part of the format.** `msgspec` writes a Struct in the order of its declaration, so with
the public fields sorted by name, then the personal ones, one encoding yields both canonical parts side by side
(RFC 8785 sorts names; ours are ASCII, so byte order is its order). A test holds the order.

Three classes of fields:
- public: nothing of a person; the public commitment covers them;
- personal: may tell of a person; the personal commitment covers them, and an erasure takes them away;
- derived: given after the event was written; no commitment covers them.

Dates are text in the one form of `clock.iso`, numbers are integers within ±2^53 (RFC 8785 section 3.2.2.3), and no text
holds a control character: `ecs.clean` sees to that, and it is what lets any JSON writer reproduce the bytes.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

__all__ = ["DOCS", "Event", "Wal"]

DOCS: dict[str, str] = {
    "@timestamp": "when the request began or the thing happened, UTC",
    "event.id": "UUIDv7, made where the event happened",
}
"""What each field means, by its dotted name; the reference page is made from it."""


def column(name: str, meaning: str) -> Any:
    DOCS[name] = meaning
    return field(name=name, default=None)


class Wal(Struct, frozen=True):
    """What the log of one process adds to an event (docs/formats/wal.md).

    Args:
        w: writer id.
        n: number within the writer, from 1, without gaps.
        s: salt of the personal commitment, 16 bytes, base64url without padding.
        h: chain value: SHA-256 of the previous chain value (32 zero bytes before the first) and this entry, base64url.
    """

    w: str
    n: int
    s: str
    h: str


Keyword = Annotated[str | None, Meta(extra={"type": "keyword"})]
Keywords = Annotated[tuple[str, ...] | None, Meta(extra={"type": "keyword"})]
Text = Annotated[str | None, Meta(extra={"type": "text"})]
Wildcard = Annotated[str | None, Meta(extra={"type": "wildcard"})]
Date = Annotated[str | None, Meta(extra={"type": "date"})]
Long = Annotated[int | None, Meta(extra={"type": "long"})]
Boolean = Annotated[bool | None, Meta(extra={"type": "boolean"})]
Ip = Annotated[str | None, Meta(extra={"type": "ip"})]
Ips = Annotated[tuple[str, ...] | None, Meta(extra={"type": "ip"})]
GeoPoint = Annotated[str | None, Meta(extra={"type": "geo_point"})]
Flattened = Annotated[dict[str, str] | None, Meta(extra={"type": "flattened"})]


def _no_wal() -> None:
    """A factory, because `omit_defaults` leaves out a plain default: the field must mark the boundary in the bytes."""


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something that happened. Make it with `ecs.event_for`, which fills what an action implies and cleans every text."""

    # public, by name

    timestamp: Annotated[str, Meta(extra={"type": "date"})] = field(name="@timestamp")
    ecs_version: Keyword = column("ecs.version", "version of the Elastic Common Schema these names follow")
    error_type: Keyword = column("error.type", "class of the exception")
    event_action: Keyword = column("event.action", "what happened, from the closed list of actions")
    event_category: Keywords = column("event.category", "ECS categories of the action")
    event_created: Date = column("event.created", "when the record was made, if not at `@timestamp`")
    event_dataset: Keyword = column("event.dataset", "`jwtrail.access`, `jwtrail.audit` or `jwtrail.alerts`")
    event_duration: Long = column("event.duration", "time taken, nanoseconds")
    event_id: Annotated[str, Meta(extra={"type": "keyword"})] = field(name="event.id")
    event_kind: Keyword = column("event.kind", "`event`, `alert` or `metric`")
    event_module: Keyword = column("event.module", "always `jwtrail`")
    event_outcome: Keyword = column("event.outcome", "`success`, `failure` or `unknown`")
    event_reason: Keyword = column(
        "event.reason", "why it was refused or failed, from the closed list of reasons"
    )
    event_severity: Long = column("event.severity", "0 to 100, rising")
    event_type: Keywords = column("event.type", "ECS types of the action")
    host_name: Keyword = column("host.name", "machine that wrote the event")
    http_request_bytes: Long = column("http.request.bytes", "bytes of the request body")
    http_request_id: Keyword = column("http.request.id", "the request's id: `X-Request-ID` or made here")
    http_request_method: Keyword = column("http.request.method", "method, upper case")
    http_request_mime_type: Keyword = column("http.request.mime_type", "media type of the request body")
    http_response_bytes: Long = column("http.response.bytes", "bytes of the response body that were sent")
    http_response_mime_type: Keyword = column("http.response.mime_type", "media type of the response body")
    http_response_status_code: Long = column(
        "http.response.status_code", "status sent to the client; 500 when the application died before one"
    )
    http_route: Keyword = column(
        "http.route", "route template such as `/orders/{id}`; absent when nothing matched"
    )
    http_version: Keyword = column("http.version", "`1.1`, `2`")
    jwt_age: Long = column("jwt.age", "age when used, seconds")
    jwt_alg: Keyword = column("jwt.alg", "`alg` of the header, also of a token that did not verify")
    jwt_aud: Keywords = column("jwt.aud", "audiences")
    jwt_client_id: Keyword = column("jwt.client_id", "OAuth client of the token (RFC 9068)")
    jwt_exp: Date = column("jwt.exp", "expires at")
    jwt_generation: Long = column("jwt.generation", "how many exchanges since sign-in")
    jwt_header_flags: Keywords = column(
        "jwt.header_flags", "what the header carried that it should not: `jwk`, `jku`, `x5c`, `x5u`, `crit`"
    )
    jwt_iat: Date = column("jwt.iat", "issued at")
    jwt_iss: Keyword = column("jwt.iss", "issuer")
    jwt_kid: Keyword = column("jwt.kid", "key id of the verified token")
    jwt_kind: Keyword = column("jwt.kind", "`access`, `refresh` or `id`")
    jwt_known: Boolean = column("jwt.known", "true when this jti was issued here")
    jwt_nbf: Date = column("jwt.nbf", "not before")
    jwt_scope: Keywords = column("jwt.scope", "scopes")
    jwt_ttl: Long = column("jwt.ttl", "lifetime, seconds")
    jwt_typ: Keyword = column("jwt.typ", "`typ` of the header")
    jwtrail_alert_events: Keywords = column("jwtrail.alert.events", "ids of the events that completed it")
    jwtrail_alert_id: Keyword = column("jwtrail.alert.id", "stable id: rule, group, first event")
    jwtrail_alert_severity: Keyword = column(
        "jwtrail.alert.severity", "Sigma's level: informational, low, medium, high, critical"
    )
    jwtrail_alert_status: Keyword = column(
        "jwtrail.alert.status", "`open`, `acknowledged`, `in_progress` or `closed`"
    )
    jwtrail_durability: Keyword = column("jwtrail.durability", "`sync`, `batch` or `memory`")
    jwtrail_flags: Keywords = column(
        "jwtrail.flags",
        "oddities of the request: ctrl_chars, truncated, token_in_url, probe_sql, probe_code, probe_ssrf, revoked_grace, self_inflicted, caught_up, …",
    )
    jwtrail_lag_ms: Long = column("jwtrail.lag_ms", "time from event to alert, milliseconds")
    jwtrail_object_tenant: Keyword = column("jwtrail.object.tenant", "tenant that owns it")
    jwtrail_object_type: Keyword = column("jwtrail.object.type", "its kind")
    jwtrail_policy: Keyword = column(
        "jwtrail.policy", "the route's policy: `required`, `optional` or `public`"
    )
    jwtrail_records: Long = column("jwtrail.records", "how many records were read or changed")
    jwtrail_response_alert: Keyword = column("jwtrail.response.alert", "alert that caused it")
    jwtrail_response_dry_run: Boolean = column(
        "jwtrail.response.dry_run", "true when it was only said, not done"
    )
    jwtrail_response_kind: Keyword = column(
        "jwtrail.response.kind", "`revoke`, `throttle`, `block` or `notify`"
    )
    jwtrail_response_until: Date = column("jwtrail.response.until", "when it ends")
    jwtrail_served: Long = column("jwtrail.served", "requests served so far by this process")
    jwtrail_ticket: Keyword = column("jwtrail.ticket", "ticket or reason given for a sensitive act")
    organization_id: Keyword = column("organization.id", "tenant of the verified token")
    process_pid: Long = column("process.pid", "process that wrote the event")
    rule_author: Keywords = column("rule.author", "who wrote it")
    rule_id: Keyword = column("rule.id", "id of the rule that fired")
    rule_name: Keyword = column("rule.name", "its title")
    rule_ruleset: Keyword = column("rule.ruleset", "the pack it came from")
    rule_version: Keyword = column("rule.version", "its version")
    service_environment: Keyword = column("service.environment", "`production`, `staging`, …")
    service_name: Keyword = column("service.name", "the API that wrote the event")
    service_node_name: Keyword = column("service.node.name", "instance of the service")
    service_version: Keyword = column("service.version", "its version")
    span_id: Keyword = column("span.id", "W3C span id")
    tags: Keywords = column("tags", "free words set by the operator")
    threat_tactic_id: Keywords = column("threat.tactic.id", "ATT&CK tactic ids")
    threat_tactic_name: Keywords = column("threat.tactic.name", "ATT&CK tactic names")
    threat_technique_id: Keywords = column("threat.technique.id", "ATT&CK technique ids")
    trace_id: Keyword = column("trace.id", "W3C trace id of the request")
    transaction_id: Keyword = column("transaction.id", "id of the transaction in an APM")

    # what the log adds; in the bytes it stands between the public and the personal part
    wal: Wal | None = field(name="jwtrail.wal", default_factory=_no_wal)

    # personal, by name
    client_ip: Ip = column("client.ip", "same as `source.ip`, for tools that look here")
    error_message: Keyword = column("error.message", "its message, cut")
    http_request_referrer: Keyword = column("http.request.referrer", "`Referer` header, query redacted")
    jwt_claims: Flattened = column("jwt.claims", "further claims, allow-listed")
    jwt_cnf: Keyword = column("jwt.cnf", "thumbprint the token is bound to (RFC 7800)")
    jwt_family: Keyword = column("jwt.family", "refresh family of the token: one sign-in on one device")
    jwt_fingerprint: Keyword = column(
        "jwt.fingerprint", "first 16 bytes of SHA-256 of the token, base64url; never the token"
    )
    jwt_jti: Keyword = column("jwt.jti", "id of the verified token (RFC 7519 section 4.1.7)")
    jwt_parent: Keyword = column("jwt.parent", "jti of the token this one was exchanged for")
    jwt_proof: Keyword = column("jwt.proof", "jti of the DPoP proof (RFC 9449)")
    jwt_unverified_iss: Keyword = column(
        "jwt.unverified.iss", "issuer claimed by a token that did not verify"
    )
    jwt_unverified_jti: Keyword = column("jwt.unverified.jti", "id claimed by a token that did not verify")
    jwt_unverified_kid: Keyword = column(
        "jwt.unverified.kid", "key id claimed by a token that did not verify, cut to 64 harmless characters"
    )
    jwt_unverified_sub: Keyword = column(
        "jwt.unverified.sub", "subject claimed by a token that did not verify: a label, never a target"
    )
    jwtrail_alert_group: Keyword = column(
        "jwtrail.alert.group", "the group it fired for, `field=value` joined by commas"
    )
    jwtrail_network: Keyword = column(
        "jwtrail.network", "kind of network: hosting, vpn, tor, mobile, business, residential"
    )
    jwtrail_object_id: Keyword = column("jwtrail.object.id", "what was touched")
    jwtrail_response_target: Keyword = column("jwtrail.response.target", "on whom, `field=value`")
    jwtrail_subject_ids: Keywords = column(
        "jwtrail.subject.ids", "whose personal data was touched (PIPA, GDPR)"
    )
    labels: Flattened = column("labels", "free names and values set by the application")
    message: Text = column("message", "one readable line")
    network_forwarded_ip: Ip = column(
        "network.forwarded_ip", "address of the peer that forwarded the request"
    )
    related_hash: Keywords = column("related.hash", "every fingerprint of the event")
    related_ip: Ips = column("related.ip", "every address of the event")
    related_user: Keywords = column("related.user", "every user of the event")
    source_as_number: Long = column("source.as.number", "autonomous system of `source.ip`")
    source_as_organization_name: Keyword = column("source.as.organization.name", "its owner")
    source_geo_city_name: Keyword = column("source.geo.city_name", "city of `source.ip`")
    source_geo_country_iso_code: Keyword = column("source.geo.country_iso_code", "country of `source.ip`")
    source_geo_location: GeoPoint = column("source.geo.location", "`lat,lon` of `source.ip`")
    source_ip: Ip = column("source.ip", "client address after trusted proxies")
    source_port: Long = column("source.port", "client port, when no proxy stands between")
    url_domain: Keyword = column("url.domain", "host asked for")
    url_original: Wildcard = column("url.original", "request target as received, query values redacted")
    url_path: Wildcard = column("url.path", "path as requested, decoded")
    url_query: Keyword = column("url.query", "query string, values redacted unless allow-listed")
    url_scheme: Keyword = column("url.scheme", "`http` or `https`")
    user_effective_id: Keyword = column("user.effective.id", "who is acted as, with impersonation")
    user_id: Keyword = column("user.id", "who, from a verified token or a successful sign-in")
    user_name: Keyword = column("user.name", "name typed at sign-in")
    user_roles: Keywords = column("user.roles", "roles of the verified token")
    user_target_id: Keyword = column("user.target.id", "whose account was changed")
    user_agent_device_name: Keyword = column("user_agent.device.name", "device")
    user_agent_name: Keyword = column("user_agent.name", "browser or library")
    user_agent_original: Keyword = column("user_agent.original", "`User-Agent` header")
    user_agent_os_name: Keyword = column("user_agent.os.name", "operating system")
    user_agent_version: Keyword = column("user_agent.version", "its version")

    # derived, by name; never in a log line
    event_hash: Keyword = column(
        "event.hash", "SHA-256 of the entry, base64url without padding; also the document id when shipped"
    )
    event_ingested: Date = column("event.ingested", "when the sequencer gave the index")
    event_sequence: Long = column("event.sequence", "index in the tree; the order of the trail")
    jwtrail_writer: Keyword = column("jwtrail.writer", "which writer of which process wrote the event")
    jwtrail_writer_seq: Long = column(
        "jwtrail.writer_seq", "its number within that writer, from 1, without gaps"
    )
