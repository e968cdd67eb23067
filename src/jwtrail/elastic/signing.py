"""How a request says who sends it."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from jwtrail.elastic.settings import EngineSettings
from jwtrail.errors import ConfigError

__all__ = ["Signer", "signer_of"]

Signer = Callable[[str, str, bytes | None, dict[str, str]], dict[str, str]]
"""(method, url, body, headers) to the headers that are sent."""


def signer_of(settings: EngineSettings) -> Signer:
    """The one way to sign in that the settings name, or none.

    Raises:
        ConfigError: botocore or the AWS keys are missing.
    """
    if settings.aws_region:
        return _aws(settings.aws_region, settings.aws_service)
    word = ""
    if settings.user:
        word = "Basic " + b64encode(f"{settings.user}:{settings.password}".encode()).decode()
    elif settings.api_key:
        word = f"ApiKey {settings.api_key}"
    elif settings.bearer:
        word = f"Bearer {settings.bearer}"
    return lambda _method, _url, _body, headers: {**headers, "authorization": word} if word else headers


def _aws(region: str, service: str) -> Signer:
    """Signature Version 4 by AWS's own library, which also finds and renews the keys."""
    try:
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.session import get_session  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "botocore is not installed", where="engine.aws_region", hint="pip install 'jwtrail[aws]'"
        ) from error
    credentials: Any = get_session().get_credentials()
    if credentials is None:
        raise ConfigError(
            "no AWS credentials were found",
            where="engine.aws_region",
            hint="aws configure, or a role of this host",
        )

    def signed(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> dict[str, str]:
        # Collections want the hash of the body as a header too; domains do not mind.
        digest = hashlib.sha256(body or b"").hexdigest()
        hashed = {**headers, "x-amz-content-sha256": digest}
        request = AWSRequest(method=method, url=url, data=body or b"", headers=hashed)
        SigV4Auth(credentials, service, region).add_auth(request)
        return dict(request.headers)

    return signed
