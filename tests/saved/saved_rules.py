"""What the import of Kibana 7.10 to 8.x and of OpenSearch Dashboards asks of saved objects, written down once."""

import json
from collections import Counter
from typing import Any

from jwtrail.ecs import CATALOGUE
from jwtrail.errors import JwtrailError
from jwtrail.kql import compile_kql

MAX_BYTES = 25 << 20
MAX_OBJECTS = 10_000
"""Limits of OpenSearch Dashboards' import."""

TEXTS = ("visState", "uiStateJSON", "panelsJSON", "optionsJSON", "searchSourceJSON", "fieldFormatMap")
"""Attributes that are JSON inside a text."""

SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
NOW = 1_767_571_200_000_000
CHARTS = ("histogram", "line", "area")
TYPES = (*CHARTS, "pie", "table", "metric", "heatmap")
"""Visualizations that all of them draw."""

AGGREGATABLE = ("keyword", "long", "ip", "date", "boolean")
"""Field types that every Kibana can split by; `text` cannot be, and Dashboards does not know `wildcard` for sure."""


def problems(lines: bytes) -> list[str]:
    """Everything that an import would refuse or a panel would not draw; empty when all is well."""
    if len(lines) > MAX_BYTES or lines.count(b"\n") > MAX_OBJECTS:
        return ["too large for OpenSearch Dashboards"]
    objects = [json.loads(line) for line in lines.splitlines()]
    known = {(one["type"], one["id"]) for one in objects}
    found = [
        f"twice: {name}"
        for name, count in Counter((o["type"], o["id"]) for o in objects).items()
        if count > 1
    ]
    for one in objects:
        name = f"{one['type']} {one['id']}"
        found += [f"{name}: {words}" for words in (*_object(one), *_references(one, known))]
    return found


def _object(one: dict[str, Any]) -> list[str]:
    if set(one) != {"id", "type", "attributes", "references"}:
        return [f"keys {sorted(one)}"]
    found = [f"version field {key}" for key in _keys(one) if "version" in key.lower()]
    if not isinstance(one["attributes"].get("title"), str):
        found.append("no title")
    try:
        return found + _BY_TYPE[one["type"]](one)
    except (KeyError, TypeError, ValueError, JwtrailError) as error:
        return [*found, f"{type(error).__name__}: {error}"]


def _references(one: dict[str, Any], known: set[tuple[str, str]]) -> list[str]:
    found = [
        f"refers to {r['type']} {r['id']}" for r in one["references"] if (r["type"], r["id"]) not in known
    ]
    names = Counter(reference["name"] for reference in one["references"])
    found += [f"reference {name} twice" for name, count in names.items() if count > 1]
    wanted = [value for key, value in _pairs(one) if key in ("indexRefName", "panelRefName")]
    if sorted(wanted) != sorted(names):
        found.append(f"asks for {sorted(wanted)}, refers to {sorted(names)}")
    return found


def _data_view(one: dict[str, Any]) -> list[str]:
    attributes = one["attributes"]
    found = [] if attributes["timeFieldName"] == "@timestamp" else ["no time field"]
    found += [
        f"format of unknown {field}"
        for field in json.loads(attributes["fieldFormatMap"])
        if field not in CATALOGUE
    ]
    return found if "logs-jwtrail." in attributes["title"] else [*found, "not for our data streams"]


def _search(one: dict[str, Any]) -> list[str]:
    attributes = one["attributes"]
    found = [f"unknown column {name}" for name in attributes["columns"] if name not in CATALOGUE]
    return found + _source(attributes) + ([] if attributes["sort"] == [["@timestamp", "desc"]] else ["sort"])


def _visualization(one: dict[str, Any]) -> list[str]:
    attributes = one["attributes"]
    state = json.loads(attributes["visState"])
    json.loads(attributes["uiStateJSON"])
    params = state["params"]
    found = [] if state["type"] in TYPES else [f"type {state['type']}"]
    if state["type"] != "table" and params["type"] != state["type"]:
        found.append("two types")
    if state["type"] in CHARTS:
        # Kibana 8 does not draw an axis without a title.
        found += (
            [] if all("title" in axis for axis in params["categoryAxes"] + params["valueAxes"]) else ["axis"]
        )
        metrics = [agg["id"] for agg in state["aggs"] if agg["schema"] == "metric"]
        if [one["data"]["id"] for one in params["seriesParams"]] != metrics:
            found.append("series without metric")
        if state["aggs"][len(metrics)]["schema"] != "segment":
            found.append("no x axis")
    ids = [agg["id"] for agg in state["aggs"]]
    found += [] if len(set(ids)) == len(ids) and all(agg["enabled"] for agg in state["aggs"]) else ["agg ids"]
    for agg in state["aggs"]:
        found += _aggregation(agg, ids)
    return found + _source(attributes)


def _aggregation(agg: dict[str, Any], ids: list[str]) -> list[str]:
    found = []
    params = agg["params"]
    if (field := params.get("field")) is not None:
        if field not in CATALOGUE:
            found.append(f"unknown field {field}")
        elif CATALOGUE[field].type not in AGGREGATABLE:
            found.append(f"{field} cannot be aggregated")
    if agg["type"] == "terms" and params["orderBy"] not in ("_key", *ids):
        found.append("ordered by nothing")
    for one in params.get("filters", ()):
        found += _query(one["input"])
    return found


def _dashboard(one: dict[str, Any]) -> list[str]:
    attributes = one["attributes"]
    panels = json.loads(attributes["panelsJSON"])
    json.loads(attributes["optionsJSON"])
    names = {reference["name"] for reference in one["references"]}
    found = [
        f"panel {panel['panelIndex']} refers to nothing"
        for panel in panels
        if panel["panelRefName"] not in names
    ]
    found += [
        f"panel {p['panelIndex']} is named twice" for p in panels if p["gridData"]["i"] != p["panelIndex"]
    ]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        grid = panel["gridData"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        if taken & cells or max(x for x, _ in cells) >= 48:
            found.append(f"panel {panel['panelIndex']} stands on another or outside")
        taken |= cells
    if not (attributes["timeRestore"] and attributes["timeFrom"] and attributes["timeTo"]):
        found.append("no time range")
    return found


def _source(attributes: dict[str, Any]) -> list[str]:
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    return ([] if source["indexRefName"] == SOURCE and source["filter"] == [] else ["source"]) + _query(
        source["query"]
    )


def _query(query: dict[str, str]) -> list[str]:
    compile_kql(query["query"], NOW)  # parses, and every field exists
    return [] if query["language"] == "kuery" else ["language"]


_BY_TYPE = {
    "index-pattern": _data_view,
    "search": _search,
    "visualization": _visualization,
    "dashboard": _dashboard,
}


def _pairs(value: Any) -> list[tuple[str, Any]]:
    """Every key with its value at any depth, also inside texts that are JSON."""
    if isinstance(value, list):
        return [pair for inner in value for pair in _pairs(inner)]
    if not isinstance(value, dict):
        return []
    opened = {key: json.loads(inner) if key in TEXTS else inner for key, inner in value.items()}
    return [pair for key, inner in opened.items() for pair in ((key, inner), *_pairs(inner))]


def _keys(value: Any) -> list[str]:
    return [key for key, _ in _pairs(value)]
