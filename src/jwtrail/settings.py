"""Tables of settings that belong to the service as a whole, its daemon and its detector; rooms have their own. `config` fills them."""

from msgspec import Struct

__all__ = ["DetectSettings", "ServeSettings", "ServiceSettings", "Tuning"]


class ServiceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who writes the events.

    Args:
        name: `service.name`.
        version: `service.version`; empty leaves it out.
        environment: `service.environment`; empty leaves it out.
    """

    name: str = "api"
    version: str = ""
    environment: str = ""


class Tuning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[detect.tune.CODE]`.

    Args:
        threshold: in place of the number that the rule compares with.
        minutes: in place of the rule's time span.
        allow: by field, values (`*` is a wildcard) or networks; the rule does not see events that have one.
    """

    threshold: float | None = None
    minutes: float | None = None
    allow: dict[str, tuple[str, ...]] = {}


class DetectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules run, and what the operator knows that no rule can. Values of lists may hold `*`; networks are `10.0.0.0/8`.

    Args:
        rules: directories of further Sigma rules.
        disabled: ids or codes of rules that do not run.
        enabled: ids or codes of rules that run though they are off by default.
        account_routes: route templates that tell whether an account exists: reset, sign-up checks.
        admin_routes: route templates of admin functions.
        batch_clients: OAuth client ids of programs that read much; volume rules leave them alone.
        break_glass: user names of emergency and default accounts.
        egress_networks: networks of your own offices, VPN and proxies; travel rules leave them alone.
        export_routes: route templates that export data.
        flow_routes: route templates of flows worth abusing: sign-up, coupon, transfer.
        health_probes: networks of health probes.
        hosting_networks: networks of hosting and VPN providers.
        public_routes: route templates that may answer without a token.
        scanners: networks of your own scanners.
        shared_networks: networks behind which many people are: campus, carrier.
        max_token_ttl_s: longest life of a token, seconds; 0 for a day.
        lists: further lists by name, for placeholders of your own rules (`%name%` with the modifier `expand`).
        tune: by a rule's code or id: `threshold`, `minutes`, `allow`.
    """

    rules: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    account_routes: tuple[str, ...] = ("*/reset*", "*/forgot*", "*/exists*")
    admin_routes: tuple[str, ...] = ("/admin", "/admin/*", "*/admin/*")
    batch_clients: tuple[str, ...] = ()
    break_glass: tuple[str, ...] = ("break-glass", "breakglass", "root", "administrator")
    egress_networks: tuple[str, ...] = ()
    export_routes: tuple[str, ...] = ("*/export", "*/exports", "*/export/*", "*/exports/*", "*/download")
    flow_routes: tuple[str, ...] = ("*/signup*", "*/register*", "*/coupons/*", "*/transfers*")
    health_probes: tuple[str, ...] = ()
    hosting_networks: tuple[str, ...] = ()
    public_routes: tuple[str, ...] = ()
    scanners: tuple[str, ...] = ()
    shared_networks: tuple[str, ...] = ()
    max_token_ttl_s: int = 0
    lists: dict[str, tuple[str, ...]] = {}
    tune: dict[str, Tuning] = {}

    def named_lists(self) -> dict[str, tuple[str, ...]]:
        """Every list by the name of its placeholder."""
        own = (name for name in self.__struct_fields__ if name not in _NOT_LISTS)
        return {**self.lists, **{name: getattr(self, name) for name in own}}


_NOT_LISTS = frozenset({"rules", "disabled", "enabled", "max_token_ttl_s", "lists", "tune"})


class ServeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The daemon and its console.

    Args:
        host: address to listen on; only loopback until people with passwords exist.
        port: TCP port; 0 takes a free one.
        console: serve the console and the HTTP API; without it the daemon only works.
        public_url: where people reach the console, when a proxy stands in front.
        kibana_url: Kibana or OpenSearch Dashboards with the data view of `jwtrail provision`; the console then leads to Discover.
        public_log: answer `/tlog/` without sign-in. What is there shows how many events there are and names no person.
        public_metrics: answer `/metrics` without sign-in, for Prometheus. They count, and name no person.
    """

    host: str = "127.0.0.1"
    port: int = 7070
    console: bool = True
    public_url: str = ""
    kibana_url: str = ""
    public_log: bool = False
    public_metrics: bool = False
