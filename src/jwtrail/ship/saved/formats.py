"""How the data view shows values: times and sizes in readable units, ids as links into the console."""

from typing import Any
from urllib.parse import urlsplit

from jwtrail.errors import ConfigError

__all__ = ["field_formats"]

_LINKS = {
    "event.id": "?screen=discover&event={{value}}",
    "jwtrail.alert.id": "?screen=alerts&status=&alert={{value}}",
    "jwtrail.response.alert": "?screen=alerts&status=&alert={{value}}",
}
"""`{{value}}` is percent-encoded by Kibana."""


def _duration(unit: str) -> dict[str, Any]:
    return {
        "id": "duration",
        "params": {
            "inputFormat": unit,
            "outputFormat": "asMilliseconds",
            "outputPrecision": 1,
            "showSuffix": True,
        },
    }


_FORMATS: dict[str, dict[str, Any]] = {
    "event.duration": _duration("nanoseconds"),
    "jwtrail.lag_ms": _duration("milliseconds"),
    "http.request.bytes": {"id": "bytes", "params": {}},
    "http.response.bytes": {"id": "bytes", "params": {}},
    "http.response.status_code": {"id": "number", "params": {"pattern": "0"}},
    "process.pid": {"id": "number", "params": {"pattern": "0"}},
    "source.port": {"id": "number", "params": {"pattern": "0"}},
    "source.as.number": {"id": "number", "params": {"pattern": "0"}},
}


def field_formats(console_url: str) -> dict[str, dict[str, Any]]:
    """`fieldFormatMap` of the data view.

    Args:
        console_url: empty leaves ids as they are.

    Raises:
        ConfigError: it is no http address.
    """
    if not console_url:
        return _FORMATS
    parts = urlsplit(console_url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise ConfigError(
            "not the address of a console", where="serve.public_url", hint="https://trail.example"
        )
    base = console_url.rstrip("/") + "/"
    links = {
        field: {
            "id": "url",
            "params": {
                "type": "a",
                "urlTemplate": base + query,
                "labelTemplate": "{{value}}",
                "openLinkInCurrentTab": False,
            },
        }
        for field, query in _LINKS.items()
    }
    return {**_FORMATS, **links}
