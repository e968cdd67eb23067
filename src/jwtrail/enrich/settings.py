"""The table `[enrich]`."""

from msgspec import Struct

__all__ = ["EnrichSettings"]


class EnrichSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is added to events. Fields that an event brings itself stay as they are.

    Args:
        databases: files in MaxMind's format (.mmdb) that say where an address is and whose: GeoLite2, DB-IP, IPinfo. Each adds
            what it knows; the first that knows a field wins. Replace them by renaming a new file over the old one.
        user_agents: name, version, system and device of the client program, from `User-Agent`.
        hosting_asns: numbers of autonomous systems whose addresses are servers, besides those that are known here.
    """

    databases: tuple[str, ...] = ()
    user_agents: bool = True
    hosting_asns: tuple[int, ...] = ()
