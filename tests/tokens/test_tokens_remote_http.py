"""Fetching keys from an address somebody else chose: every limit is tried against a real server."""

import contextlib
import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jwtrail import clock
from jwtrail.errors import TokenError
from jwtrail.tokens import remotehttp
from jwtrail.tokens.remotehttp import MAX_BYTES, MAX_REDIRECTS, fetch
from provider import Provider, answer


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


def got(provider, page, path="/page", **options):
    provider.pages[path] = page
    return fetch(provider.issuer + path, allow_private=True, **options)


def test_a_document_and_its_life(provider):
    made = got(provider, lambda handler: answer(handler, b"{}", Cache_Control="public, Max-Age=600, x"))
    assert (made.body, made.max_age_s) == (b"{}", 600)
    assert (
        got(provider, lambda handler: answer(handler, b"{}", kind="application/jwk-set+json")).max_age_s
        is None
    )
    for value, wanted in (
        ("no-store", 0),
        ("max-age=x", None),
        ("max-age=" + "9" * 50, None),
        ('max-age="5"', 5),
    ):
        assert (
            got(provider, lambda handler, v=value: answer(handler, b"{}", Cache_Control=v)).max_age_s
            == wanted
        )


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (None, "status 404"),
        (lambda handler: answer(handler, b"{}", 500), "status 500"),
        (lambda handler: answer(handler, b"{}", 304), "status 304"),
        (lambda handler: answer(handler, b"<html>", kind="text/html"), "not JSON but text/html"),
        (lambda handler: answer(handler, b"x", Content_Encoding="gzip"), "compressed"),
        (lambda handler: answer(handler, b"x" * (MAX_BYTES + 1)), f"more than {MAX_BYTES} bytes"),
        (lambda handler: answer(handler, b"{}", Content_Length=900), "ended early"),
        (lambda handler: answer(handler, b"", 302, Location="/page"), f"more than {MAX_REDIRECTS} redirects"),
        (lambda handler: answer(handler, b"", 302, Location="file:///etc/passwd"), "no https address"),
        (lambda handler: answer(handler, b"", 302, Location="http://u:p@127.0.0.1/"), "no https address"),
        (lambda handler: answer(handler, b"", 302, Location="http://[::1/"), "Value"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "BadStatusLine"),
        (
            lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n"),
            "HTTPException",
        ),
        (lambda handler: None, "RemoteDisconnected"),
    ],
)
def test_what_is_not_taken(provider, page, why):
    with pytest.raises(TokenError, match=why) as caught:
        got(provider, page)
    assert caught.value.reason == "jwks_unavailable"


def test_redirects_up_to_the_limit(provider):
    for number in range(MAX_REDIRECTS):
        provider.pages[f"/r{number}"] = lambda handler, n=number: answer(
            handler, b"", 307, Location=f"r{n + 1}"
        )
    provider.pages[f"/r{MAX_REDIRECTS}"] = {"keys": []}
    assert fetch(provider.issuer + "/r0", allow_private=True).body == b'{"keys": []}'


def test_a_slow_answer_ends_in_time_however_it_dawdles(provider, monkeypatch):
    monkeypatch.setattr(remotehttp, "TIMEOUT_S", 0.4)

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        with contextlib.suppress(OSError):  # until we hang up
            while True:
                handler.wfile.write(b" ")
                clock.sleep(0.02)

    with pytest.raises(TokenError, match="TimeoutError"):
        got(provider, drip)


def test_private_addresses_and_plain_http_are_refused_unless_allowed(provider):
    with pytest.raises(TokenError, match="over http"):
        fetch(provider.issuer + "/keys")
    for url in (
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://169.254.169.254/latest",
    ):
        with pytest.raises(TokenError, match="private address"):
            fetch(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.0.1", False),
        ("127.0.0.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("::1", False), ("fe80::1%eth0", False), ("fc00::1", False), ("::ffff:10.0.0.1", False), ("::ffff:8.8.8.8", True),
        ("2002:0a00:0001::1", False), ("ff02::1", False), ("::", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address, public):
    assert remotehttp._is_public(address) is public


def test_what_a_url_may_hold_is_not_repeated(provider):
    with pytest.raises(TokenError) as caught:
        fetch(provider.issuer + "/none?key=hush", allow_private=True)
    assert "hush" not in str(caught.value)


def certified(tmp_path):
    """A context for a server with a certificate for 127.0.0.1, and one that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, start, start + dt.timedelta(days=36_500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "both.pem")
    client = ssl.create_default_context(cadata=pem.decode())
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return server, client


def test_tls_is_checked(tmp_path):
    server, client = certified(tmp_path)
    provider = Provider(server)
    try:
        assert (
            b"jwks_uri"
            in fetch(
                provider.issuer + "/.well-known/openid-configuration", allow_private=True, tls=client
            ).body
        )
        with pytest.raises(TokenError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(provider.issuer + "/keys", allow_private=True)
    finally:
        provider.close()
