"""The event of a request: put together from remembered parts, it is what it would be if each text were cleaned anew."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.ecs import Event, event_for
from jwtrail.middleware import account
from jwtrail.middleware.account import MAX_KEY, MAX_REMEMBERED, Accounts, Outcome
from jwtrail.middleware.exchange import Exchange
from jwtrail.middleware.http import Credential, Headers, Networks, where_from
from jwtrail.middleware.recorder import Service
from jwtrail.middleware.settings import HttpSettings
from jwtrail.tokens.verdict import ABSENT, Accepted, Claims, Rejected, Verdict
from jwtrail.trail.storable import storable_parts

SETTINGS = HttpSettings(claims_allow=("plan",), trusted_proxies=("10.0.0.0/8",))
OUTCOME = Outcome(200, 1_790_000_000_000_000, 1000, "batch", 8, "application/json")
TEXTS = st.text(alphabet=st.characters(), max_size=40)
NAMES = [b"host", b"Referer", b"user-agent", b"traceparent", b"content-length", b"x-forwarded-for"]
CLAIMS = st.builds(
    Claims,
    sub=TEXTS,
    jti=TEXTS,
    scope=st.lists(TEXTS, max_size=3).map(tuple),
    iat=st.none() | st.integers(-(2**60), 2**40),
    exp=st.none() | st.integers(0, 2**40),
    extra=st.dictionaries(st.just("plan") | TEXTS, TEXTS, max_size=2),
    fingerprint=st.sampled_from(["A", "B"]),
)
VERDICTS = st.just(ABSENT) | st.builds(Accepted, CLAIMS) | st.builds(Rejected, reason=st.just("x"), sub=TEXTS)


def accounts() -> Accounts:
    return Accounts(SETTINGS, Service("shop", "1", "", "host").fields())


def told(
    by: Accounts, scope: dict[str, Any], verdict: Verdict = ABSENT, outcome: Outcome = OUTCOME, **more: Any
) -> Event:
    headers = Headers(scope.pop("headers", ()))
    where = where_from(scope.pop("client", ("10.0.0.1", 5)), headers, Networks(SETTINGS.trusted_proxies))
    exchange = Exchange(headers, where, Credential(), verdict, scope.pop("given_id", None))
    exchange.fields |= more
    return by.event(scope, "", exchange, outcome)


def without_id(event: Event) -> dict[str, Any]:
    """Fields but those that no two events share."""
    return {
        name: value
        for name, value in msgspec.structs.asdict(event).items()
        if value is not None and name not in ("event_id", "timestamp", "http_request_id")
    }


ROUTE = type("Route", (), {"path": "/orders/{id}"})()
SCOPES = st.fixed_dictionaries(
    {
        "path": TEXTS,
        "raw_path": st.binary(max_size=40),
        "query_string": st.binary(max_size=60),
        "scheme": st.just("http"),
        "method": TEXTS,
        "headers": st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=40))),
        "given_id": st.none() | TEXTS,
        "route": st.just(ROUTE),
        "path_params": st.fixed_dictionaries({"id": TEXTS}),
    }
)


@given(scope=SCOPES, verdict=VERDICTS, failure=st.none() | TEXTS)
def test_no_request_can_break_the_event(scope: dict[str, Any], verdict: Verdict, failure: str | None) -> None:
    outcome = msgspec.structs.replace(OUTCOME, failure=failure)
    by = accounts()
    first, again = (told(by, dict(scope), verdict, outcome) for _ in range(2))
    assert without_id(first) == without_id(again)
    # Nothing is left to clean: the one who looks at every text finds nothing to do.
    flags: set[str] = set()
    assert without_id(event_for("http-request", flags=flags, **without_id(first))) == without_id(first)
    assert flags == set()
    storable_parts(first)


def test_two_requests_share_parts_and_nothing_else() -> None:
    by = accounts()
    claims = Claims(sub="u1", fingerprint="A", iat=1_789_999_000)
    one = told(by, {"path": "/a", "client": ("192.0.2.1", 1)}, Accepted(claims))
    later = msgspec.structs.replace(OUTCOME, started_us=OUTCOME.started_us + 5_000_000)
    two = told(
        by, {"path": "/b", "query_string": b"key=s3cret", "client": ("192.0.2.2", 2)}, Accepted(claims), later
    )
    assert (one.jwt_age, two.jwt_age) == (1000, 1005)
    assert (one.source_ip, one.source_port, one.url_path, one.url_query) == ("192.0.2.1", 1, "/a", None)
    assert (two.source_ip, two.source_port, two.url_original) == ("192.0.2.2", 2, "/b?key=…")
    assert one.event_id == one.http_request_id != two.event_id
    other = Claims(sub="u2", fingerprint="A")  # what an application says of a token may change
    assert told(by, {"path": "/a"}, Accepted(other)).user_id == "u2"


def test_what_the_application_adds_counts_and_can_take_away() -> None:
    event = told(accounts(), {"path": "/a"}, url_path=None, user_id="u\n7", labels={"b": "2", "a": "1"})
    assert event.url_path is None
    assert (event.user_id, event.jwtrail_flags) == (r"u\x0a7", ("ctrl_chars",))
    assert event.labels is not None
    assert list(event.labels) == ["a", "b"]


def test_clients_cannot_fill_the_memory() -> None:
    before = account._known_client.cache_info().currsize
    told(accounts(), {"path": "/", "headers": [(b"user-agent", b"x" * (MAX_KEY + 1))]})
    assert account._known_client.cache_info().currsize == before
    by = accounts()
    for number in range(MAX_REMEMBERED + 1):
        told(by, {"path": "/"}, Accepted(Claims(fingerprint=str(number))))
    assert len(by._tokens) == 1
