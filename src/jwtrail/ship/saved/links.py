"""Addresses of Kibana's Discover, which keep their state as Rison behind `#`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from jwtrail.ship.saved.objects import DATA_VIEW

__all__ = ["COLUMNS", "discover_url", "rison"]

COLUMNS = ("event.action", "event.outcome", "event.reason", "user.id", "source.ip", "http.route", "event.id")

_PLAIN = re.compile(r"[^-0123456789 '!:(),*@$][^ '!:(),*@$]*")
"""Texts that need no quotes."""


def rison(value: Any) -> str:
    """Objects, lists, texts, integers and booleans in Rison, the compact JSON of Kibana's addresses."""
    if isinstance(value, bool):
        return "!t" if value else "!f"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else "'" + re.sub(r"['!]", r"!\g<0>", value) + "'"
    if isinstance(value, Mapping):
        return f"({','.join(f'{rison(key)}:{rison(value[key])}' for key in sorted(value))})"
    assert isinstance(value, Sequence)
    return f"!({','.join(map(rison, value))})"


def discover_url(base: str, query: str, start: str, end: str) -> str:
    """The same question in Discover of Kibana or OpenSearch Dashboards.

    Args:
        base: their address with base path and space.
        query: KQL.
        start: date math (`now-24h`) or a time, as `end`.
    """
    everywhere = {"time": {"from": start, "to": end}}
    here = {
        "columns": COLUMNS,
        "index": DATA_VIEW,
        "interval": "auto",
        "query": {"language": "kuery", "query": query},
        "sort": [["@timestamp", "desc"]],
    }
    state = f"_g={_encoded(everywhere)}&_a={_encoded(here)}"
    return f"{base.rstrip('/')}/app/discover#/?{state}"


def _encoded(value: Any) -> str:
    return quote(rison(value), safe="!'():,*@-._~")
