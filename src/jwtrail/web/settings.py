"""Settings of the console."""

from msgspec import Struct

from jwtrail.errors import ConfigError

__all__ = ["LOOPBACK_NAMES", "WebSettings"]

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names a browser uses for this machine; any other `Host` may be a rebound DNS name."""

_DAY = 86_400


class WebSettings(Struct, frozen=True, kw_only=True):
    """How the console is served.

    Args:
        host: address to bind.
        port: TCP port; also part of the cookie's name, because cookies ignore ports and two consoles would share one.
        root_path: path in front of the console behind a proxy, such as `/audit`; no slash at the end.
        hosts: `Host` names that are answered, without port.
        user: name under which acts of the console are recorded.
        key_ttl_s: life of a one-time link.
        idle_s: a session ends after so long without a request.
        absolute_s: and after so long in any case.
        https: the console is reached over https, so the cookie is `Secure`.
        kibana_url: where Discover is; empty when there is none.
        public_log: `/tlog/` is answered without sign-in; `public_metrics`: `/metrics` is.
    """

    host: str = "127.0.0.1"
    port: int = 7070
    root_path: str = ""
    hosts: frozenset[str] = LOOPBACK_NAMES
    user: str = "operator"
    key_ttl_s: int = 600
    idle_s: int = 8 * 3600
    absolute_s: int = _DAY
    https: bool = False
    kibana_url: str = ""
    public_log: bool = False
    public_metrics: bool = False

    def __post_init__(self) -> None:
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise ConfigError(
                f"root_path {self.root_path!r} must begin with a slash and not end with one",
                where="console.root_path",
                hint="such as /audit",
            )
        if self.kibana_url and not self.kibana_url.startswith(("https://", "http://")):
            raise ConfigError(
                "not the address of Kibana", where="serve.kibana_url", hint="https://kibana.example:5601"
            )
        for name in ("key_ttl_s", "idle_s", "absolute_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive", where=f"console.{name}")

    @property
    def cookie(self) -> str:
        """Name of the session cookie."""
        return f"jwtrail_session_{self.port}"

    @property
    def base(self) -> str:
        """Path of the console with a slash at the end."""
        return self.root_path + "/"
