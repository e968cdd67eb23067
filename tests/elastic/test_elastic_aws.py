"""Requests to Amazon's OpenSearch service carry a signature that is right for what was sent."""

import hashlib
import hmac
from urllib.parse import quote

import pytest
from elastic_standin import Seen, reply, standin

from jwtrail.elastic.address import address_of
from jwtrail.elastic.client import Engine
from jwtrail.elastic.settings import EngineSettings
from jwtrail.errors import ConfigError

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def signature(seen: Seen, region: str, service: str) -> str:
    """What AWS computes (Signature Version 4), from the request as it arrived."""
    named = seen.headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
    query = "&".join(
        f"{quote(k, safe='-_.~')}={quote(v[0], safe='-_.~')}" for k, v in sorted(seen.query.items())
    )
    headers = "".join(f"{name}:{seen.headers[name]}\n" for name in named.split(";"))
    body = hashlib.sha256(seen.raw).hexdigest()
    path = quote(seen.path, safe="/-_.~")
    request = f"{seen.method}\n{path}\n{query}\n{headers}\n{named}\n{body}"
    when = seen.headers["x-amz-date"]
    scope = f"{when[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


@pytest.mark.parametrize(("service", "compress"), [("es", "no"), ("aoss", "yes")])
def test_signatures_hold(aws: pytest.MonkeyPatch, service: str, compress: str) -> None:
    settings = EngineSettings(aws_region="eu-west-1", aws_service=service, compress=compress)
    with (
        standin(lambda _: reply({})) as server,
        Engine(address_of(f"http://127.0.0.1:{server.port}"), settings) as engine,
    ):
        engine.request("GET", "/_search?q=a%20b&size=0")
        engine.request("POST", "/logs-jwtrail.access-default/_bulk", ndjson=b'{"create":{}}\n{}\n' * 200)
        for seen in server.seen:
            assert seen.headers["x-amz-content-sha256"] == hashlib.sha256(seen.raw).hexdigest()
            assert seen.headers["authorization"].endswith(
                f"Signature={signature(seen, 'eu-west-1', service)}"
            )


def test_without_keys_it_says_so(aws: pytest.MonkeyPatch) -> None:
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigError, match="no AWS credentials"):
        Engine(address_of("http://127.0.0.1:1"), EngineSettings(aws_region="eu-west-1"))
