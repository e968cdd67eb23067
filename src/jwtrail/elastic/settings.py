"""How an Elasticsearch or OpenSearch is reached and who we are there. Imported by the settings, so it loads nothing."""

import re

from msgspec import Struct

from jwtrail.elastic.streams import NAMESPACE, check_namespace
from jwtrail.errors import ConfigError

__all__ = ["EngineSettings"]

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{64}")


class EngineSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials and TLS of the engine; one way to sign in at most.

    Args:
        user: name for HTTP basic authentication.
        password: its password (secret).
        password_file: path of a file that holds it.
        api_key: Elasticsearch's API key in its encoded form (secret).
        api_key_file: path of a file that holds it.
        bearer: a bearer token (secret).
        bearer_file: path of a file that holds it.
        aws_region: sign requests for Amazon's OpenSearch service in this region (`pip install jwtrail[aws]`); the keys come
            from where every AWS tool finds them.
        aws_service: `es` for domains, `aoss` for collections.
        ca_file: PEM file of the authorities that may vouch for the server, instead of the system's.
        fingerprint: SHA-256, in hexadecimal, of the server's certificate or of an authority in its chain; what Elasticsearch
            prints when it starts first. It replaces `ca_file` and the check of the name.
        plain_credentials: send credentials over `http` to other machines too; for a network that encrypts by itself.
        namespace: last part of the names of data streams; one trail has one for itself.
        delete_after: when events are deleted there: `never`, `retention` (when `trail.retention` is over), or `days-N`; never
            before `trail.retention`. `jwtrail provision` makes the policy.
        compress: gzip what is sent and ask for gzip: `auto` does it for other machines only.
        timeout_s: seconds that one answer may take.
    """

    user: str = ""
    password: str = ""
    password_file: str = ""
    api_key: str = ""
    api_key_file: str = ""
    bearer: str = ""
    bearer_file: str = ""
    aws_region: str = ""
    aws_service: str = "es"
    ca_file: str = ""
    fingerprint: str = ""
    plain_credentials: bool = False
    namespace: str = NAMESPACE
    delete_after: str = "never"
    compress: str = "auto"
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        check_namespace(self.namespace)
        ways = [name for name in ("user", "api_key", "bearer", "aws_region") if getattr(self, name)]
        if len(ways) > 1:
            raise ConfigError(
                f"{' and '.join(ways)} are two ways to sign in", where="engine", hint="keep one of them"
            )
        if self.compress not in ("auto", "yes", "no"):
            raise ConfigError(
                f"{self.compress!r} is not one of auto, yes, no", where="engine.compress", hint="auto"
            )
        if not 0.1 <= self.timeout_s <= 3600:
            raise ConfigError(f"{self.timeout_s} is not between 0.1 and 3600", where="engine.timeout_s")
        if self.fingerprint and not _FINGERPRINT.fullmatch(self.pin):
            raise ConfigError(
                "not a SHA-256 in hexadecimal",
                where="engine.fingerprint",
                hint="openssl x509 -in ca.crt -noout -fingerprint -sha256",
            )

    @property
    def pin(self) -> str:
        """The fingerprint without colons, in small letters."""
        return self.fingerprint.replace(":", "").lower()

    @property
    def signs_in(self) -> bool:
        """Whether requests carry something that others must not read."""
        return bool(self.user or self.api_key or self.bearer)
