"""Facts of a request, from bytes a client chose."""

from typing import Any

import pytest

from jwtrail.middleware.http import (
    Credential,
    Headers,
    Networks,
    Where,
    credential_of,
    object_of,
    seldom_facts,
    template_of,
    trace_of,
    where_from,
)

NONE = Networks(())
PROXIES = Networks(("10.0.0.0/8", "2001:db8::/32"))


def headers(**values: str) -> Headers:
    return Headers((name.replace("_", "-").encode(), value.encode()) for name, value in values.items())


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "wanted"),
    [
        ("192.0.2.1", None, NONE, Where("192.0.2.1", 5000)),
        # a header from somebody we do not trust is not believed, and flagged
        ("192.0.2.1", "203.0.113.9", PROXIES, Where("192.0.2.1", 5000, spoofed=True)),
        ("10.0.0.1", "203.0.113.9", PROXIES, Where("203.0.113.9", None, "10.0.0.1", proxied=True)),
        # from the right: what the client itself put in front does not count
        (
            "10.0.0.1",
            "1.1.1.1, 203.0.113.9, 10.9.9.9",
            PROXIES,
            Where("203.0.113.9", None, "10.0.0.1", proxied=True),
        ),
        ("10.0.0.1", "10.0.0.7, 10.0.0.8", PROXIES, Where("10.0.0.7", None, "10.0.0.1", proxied=True)),
        ("10.0.0.1", "nonsense", PROXIES, Where("10.0.0.1", 5000, proxied=True)),
        ("10.0.0.1", None, PROXIES, Where("10.0.0.1", 5000, proxied=True)),
        (
            "::ffff:10.0.0.1",
            "203.0.113.9:4711",
            PROXIES,
            Where("203.0.113.9", None, "10.0.0.1", proxied=True),
        ),
        (
            "2001:db8::1",
            "[2a02:ec80::2]:443",
            PROXIES,
            Where("2a02:ec80::2", None, "2001:db8::1", proxied=True),
        ),
    ],
)
def test_the_address_that_counts(peer: str, forwarded: str | None, trusted: Networks, wanted: Where) -> None:
    given_headers = headers(x_forwarded_for=forwarded) if forwarded else headers()
    assert where_from((peer, 5000), given_headers, trusted) == wanted


def test_what_the_server_has_derived_is_taken_and_not_called_a_spoof() -> None:
    assert where_from(("203.0.113.9", 0), headers(x_forwarded_for="203.0.113.9"), PROXIES) == Where(
        "203.0.113.9"
    )


def test_a_flood_of_hops_is_not_read_to_its_end() -> None:
    hops = ", ".join(["10.0.0.1"] * 10_000)
    assert (
        where_from(("10.0.0.1", 1), headers(x_forwarded_for="203.0.113.9, " + hops), PROXIES).ip == "10.0.0.1"
    )


def test_no_peer_is_no_address() -> None:
    assert where_from(None, headers(), NONE) == Where()


@pytest.mark.parametrize(
    ("trusted", "wanted"),
    [
        (PROXIES, Where(spoofed=True)),
        (Networks(("unix",)), Where("203.0.113.9", proxied=True)),
        (Networks(("unix", "203.0.113.0/24")), Where("198.51.100.1", proxied=True)),
    ],
)
def test_a_proxy_on_a_unix_socket_has_no_address(trusted: Networks, wanted: Where) -> None:
    given_headers = headers(x_forwarded_for="198.51.100.1, 203.0.113.9")
    assert where_from(None, given_headers, trusted) == wanted
    assert where_from(None, headers(), trusted) == Where(proxied=wanted.proxied)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("Bearer abc", Credential("abc")),
        ("bearer  abc ", Credential("abc")),
        ("DPoP abc", Credential("abc", "dpop")),
        ("Basic abc", Credential()),
        ("", Credential()),
        ("Bearer", Credential("")),
        ("abc", Credential()),
    ],
)
def test_the_credential(value: str, wanted: Credential) -> None:
    assert credential_of(headers(authorization=value)) == wanted


def test_two_credentials_are_seen() -> None:
    twice = Headers([(b"authorization", b"Bearer a"), (b"Authorization", b"Bearer b")])
    assert credential_of(twice) == Credential("a", several=True)


def test_trace_context() -> None:
    good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert trace_of(headers(traceparent=good)) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert trace_of(headers(traceparent=good.upper())) == (None, None)
    assert trace_of(headers()) == (None, None)


@pytest.mark.parametrize(
    ("template", "params", "wanted"),
    [
        ("/orders/{id}", {"id": 7}, ("7", "orders")),
        ("/shops/{shop}/orders/{id:int}", {"shop": "a", "id": 7}, ("7", "orders")),
        ("/orders", {}, (None, None)),
        (None, {"id": 1}, (None, None)),
        ("/{id}", {"id": "x"}, ("x", None)),
    ],
)
def test_what_was_touched(
    template: str | None, params: dict[str, Any], wanted: tuple[str | None, str | None]
) -> None:
    assert object_of(template, params) == wanted


def test_the_template_of_a_mounted_application() -> None:
    route = type("Route", (), {"path": "/items/{id}"})()
    assert template_of({"route": route, "root_path": "/v1/shop"}, "/v1") == "/shop/items/{id}"
    assert template_of({}, "") is None


def test_lying_lengths_are_flagged() -> None:
    flags: set[str] = set()
    raw = [
        (b"content-length", b"5"),
        (b"content-length", b"6"),
        (b"transfer-encoding", b"chunked"),
        (b"x-http-method-override", b"PUT"),
    ]
    seldom_facts(Headers(raw), frozenset(), flags)
    assert flags == {"duplicate_length", "te_cl", "method_override"}


def test_the_query_of_the_referrer_is_redacted_too() -> None:
    facts = seldom_facts(headers(referer="https://a.example/x?key=s3cret#frag"), frozenset(), set())
    assert facts["http_request_referrer"] == "https://a.example/x?key=…"
