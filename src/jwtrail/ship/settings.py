"""What can be set about shipping; `config` fills it, so it loads nothing."""

from msgspec import Struct

from jwtrail.errors import ConfigError

__all__ = ["ShipSettings"]


class ShipSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where `jwtrail serve` hands the trail on to.

    Args:
        to: addresses of sinks: an engine (`elasticsearch://…`, `opensearch://…`), `file:///…`, `syslog://…`, `cef://…`,
            `webhook+https://…`.
        parallel: requests at once to an engine.
        max_batch: events of one request at most.
        max_bytes: bytes of one request at most, before compression.
        secret: signs what goes to a webhook (secret).
        secret_file: path of a file that holds it.
    """

    to: tuple[str, ...] = ()
    parallel: int = 2
    max_batch: int = 5_000
    max_bytes: int = 8_000_000
    secret: str = ""
    secret_file: str = ""

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"must be between {least:,} and {most:,}", where=f"ship.{name}")


_BOUNDS = {"parallel": (1, 16), "max_batch": (1, 5_000), "max_bytes": (100_000, 50_000_000)}
"""5,000 events: twice as many ids are what one search of an engine returns; 50 MB: half of what engines take at once."""
