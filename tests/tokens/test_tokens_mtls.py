"""The client certificate as each proxy writes it gives one and the same thumbprint."""

import base64
import datetime as dt
import hashlib
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.tokens.mtls import MAX_CERTIFICATE_BYTES, certificate_thumbprint


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 7, start, start + dt.timedelta(days=9))
        .sign(key, hashes.SHA256())
    )  # fmt: skip


MADE = certificate()
DER = MADE.public_bytes(serialization.Encoding.DER)
PEM = MADE.public_bytes(serialization.Encoding.PEM).decode()
DIGEST = hashlib.sha256(DER).hexdigest()
THUMBPRINT = base64.urlsafe_b64encode(hashlib.sha256(DER).digest()).rstrip(b"=").decode()
BASE64 = base64.b64encode(DER).decode()


@pytest.mark.parametrize(
    "value",
    [
        f":{BASE64}:",  # RFC 9440
        quote(PEM, safe=""),  # nginx
        PEM.replace("\n", "\t"),  # nginx before $ssl_client_escaped_cert
        BASE64,  # HAProxy, Traefik
        quote(BASE64, safe=""),
        DIGEST,
        DIGEST.upper(),
        ":".join(DIGEST[at : at + 2] for at in range(0, 64, 2)),
        f'By=spiffe://a;Hash={DIGEST};Subject="CN=client,O=x";URI=spiffe://b',  # Envoy
        f"Hash={'0' * 64};URI=spiffe://first, By=spiffe://a;Hash={DIGEST}",
    ],
    ids=range(10),  # the certificate is made anew: its texts are no names
)  # fmt: skip
def test_every_proxy_tells_of_the_same_certificate(value):
    assert certificate_thumbprint(value) == THUMBPRINT


@pytest.mark.parametrize("name", ["CN=x,;Hash={};", 'CN=\\",;Hash={};', "CN=x;Hash={}"])
def test_a_name_in_the_certificate_cannot_claim_another_one(name):
    """Envoy quotes names, and a client may have got any name signed."""
    claimed = name.format("0" * 64)
    assert certificate_thumbprint(f'Subject="{claimed}";Hash={DIGEST}') == THUMBPRINT
    assert certificate_thumbprint(f'Subject="{claimed}') == ""


@pytest.mark.parametrize(
    "value", ["", "(null)", "-", "::", "QUJD", "Hash=12", "%%%", "é" * 9, "A" * (MAX_CERTIFICATE_BYTES + 1)]
)
def test_what_is_no_certificate_has_no_thumbprint(value):
    assert certificate_thumbprint(value) == ""


@given(st.text())
def test_nothing_makes_it_raise(value):
    certificate_thumbprint(value)
