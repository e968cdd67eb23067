"""Where an address is and whose, from databases in MaxMind's format that the operator points at."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import maxminddb

from jwtrail import clock
from jwtrail.enrich.hosting import HOSTING
from jwtrail.errors import ConfigError

__all__ = ["LOOK_NS", "MAX_TEXT", "Addresses", "fields_of"]

LOOK_NS = 60_000_000_000
"""Between two looks whether a file was replaced, ns. Databases come weekly."""

MAX_TEXT = 200
"""Characters of a name that a database gives."""

_NETWORKS = (
    ("is_tor_exit_node", "tor"),
    ("is_anonymous_vpn", "vpn"),
    ("is_hosting_provider", "hosting"),
    ("is_public_proxy", "vpn"),
    ("is_residential_proxy", "vpn"),
)
"""What a database of anonymous networks says, in our words; the first that is true."""

_USERS = {
    "hosting": "hosting",
    "cellular": "mobile",
    "residential": "residential",
    "business": "business",
    "isp": "residential",
}

Fields = dict[str, str | int]


class Addresses:
    """The databases of this process; for one thread.

    Args:
        files: in the order in which they are asked.
        hosting: further numbers of hosting providers.

    Raises:
        ConfigError: a file is missing or no database.
    """

    def __init__(self, files: Iterable[str], hosting: Iterable[int] = ()) -> None:
        self._hosting = HOSTING | frozenset(hosting)
        self._readers = {Path(name).expanduser(): _open(Path(name).expanduser()) for name in files}
        self._looked_ns = clock.monotonic_ns()

    def fields(self, address: str) -> Fields:
        """What is known of an address, by attribute of `Event`; nothing about one that no database knows."""
        found: Fields = {}
        for reader, _ in self._readers.values():
            try:
                record = reader.get(address)
            except (ValueError, maxminddb.InvalidDatabaseError, OSError):
                continue  # no address, one of a version that the file has not, or a damaged place in the file
            if isinstance(record, dict):
                found = {**fields_of(record), **found}
        number = found.get("source_as_number")
        if number in self._hosting:
            found.setdefault("jwtrail_network", "hosting")
        return found

    def renewed(self) -> bool:
        """Take files that were replaced; true when one was. Looks at them once in `LOOK_NS`."""
        now = clock.monotonic_ns()
        if now - self._looked_ns < LOOK_NS:
            return False
        self._looked_ns = now
        changed = False
        for path, (reader, seen) in self._readers.items():
            try:
                fresh = _seen(path)
                if fresh == seen:
                    continue
                self._readers[path] = _open(path)
            except (ConfigError, OSError):
                continue  # half a file, or none: the old one stays in use
            reader.close()
            changed = True
        return changed

    def close(self) -> None:
        """Let go of the files."""
        for reader, _ in self._readers.values():
            reader.close()


def fields_of(record: Mapping[str, Any]) -> Fields:
    """The fields of one record, in the forms of GeoLite2, DB-IP and IPinfo. What has another form is left out."""
    country = _dict(record, "country") or _dict(record, "registered_country")
    place = _dict(record, "location")
    traits = {**record, **_dict(record, "traits")}
    number = record.get("autonomous_system_number", record.get("asn"))
    made: dict[str, str | int | None] = {
        "source_geo_country_iso_code": _text(country.get("iso_code") or record.get("country_code")),
        "source_geo_city_name": _text(_dict(_dict(record, "city"), "names").get("en") or record.get("city")),
        "source_geo_location": _location(place),
        "source_as_number": _number(number),
        "source_as_organization_name": _text(
            record.get("autonomous_system_organization") or record.get("as_name")
        ),
        "jwtrail_network": next((word for name, word in _NETWORKS if traits.get(name) is True), None)
        or _USERS.get(str(traits.get("user_type") or "").lower()),
    }
    return {name: value for name, value in made.items() if value is not None}


def _open(path: Path) -> tuple[maxminddb.Reader, tuple[int, int]]:
    try:
        return maxminddb.open_database(path, maxminddb.MODE_AUTO), _seen(path)
    except (OSError, maxminddb.InvalidDatabaseError, ValueError) as error:
        raise ConfigError(
            f"cannot be used as a database: {error}",
            where=str(path),
            hint="enrich.databases names .mmdb files",
        ) from error


def _seen(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _dict(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value[:2].upper() == "AS" and value[2:].isdigit():
        value = int(value[2:])
    return value if type(value) is int and 0 < value < 1 << 32 else None


def _location(place: Mapping[str, Any]) -> str | None:
    latitude, longitude = place.get("latitude"), place.get("longitude")
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return f"{latitude:.4f},{longitude:.4f}"
