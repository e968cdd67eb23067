"""A panel in the words of Kibana 7.10: `visState`.

All panels are aggregation-based visualizations, the one kind that 7.10, 8.x and OpenSearch Dashboards draw. Their parameters are
those of 7.10: an import brings what has no version up to its own, and a parameter of a later one would stand in the way.
"""

from collections.abc import Iterator
from typing import Any

from jwtrail.ship.saved.panel import Measure, Panel, Split

__all__ = ["ui_state", "vis_state"]

_AXIS_STYLE = {"categoryLines": False}

# Of Kibana's own palette, which people with colour blindness can tell apart.
_GREEN, _BLUE, _YELLOW, _ORANGE, _RED, _GREY = (
    "#54B399",
    "#6092C0",
    "#D6BF57",
    "#DA8B45",
    "#E7664C",
    "#98A2B3",
)

_COLOURS = {
    "Outcome": {"success": _GREEN, "failure": _RED, "unknown": _GREY},
    "Severity": {
        "critical": _RED,
        "high": _ORANGE,
        "medium": _YELLOW,
        "low": _BLUE,
        "informational": _GREY,
    },
    "Class": {
        "Forged": _RED,
        "Suspicious": _ORANGE,
        "Broken client": _YELLOW,
        "Routine": _BLUE,
        "Sign-in": _GREEN,
    },
}
"""By the label of a split: what means the same has the same colour on every panel."""


def vis_state(panel: Panel, title: str) -> dict[str, Any]:
    """What `visState` holds, before it becomes a text."""
    return {
        "title": title,
        "type": panel.shape,
        "aggs": [*_measures(panel), *_splits(panel)],
        "params": _PARAMS[panel.shape](panel),
    }


def ui_state(panel: Panel) -> dict[str, Any]:
    """What `uiStateJSON` holds: the colours of values that have one."""
    if panel.shape not in ("histogram", "pie"):
        return {}
    colours = [_COLOURS[split.label] for split in panel.splits if split.label in _COLOURS]
    return {"vis": {"colors": colours[0]}} if colours else {}


def _measures(panel: Panel) -> Iterator[dict[str, Any]]:
    for number, measure in enumerate(panel.measures, 1):
        params: dict[str, Any] = {"customLabel": measure.label}
        if measure.field:
            params["field"] = measure.field
        if measure.percents:
            params["percents"] = list(measure.percents)
        yield {"id": str(number), "enabled": True, "type": measure.kind, "schema": "metric", "params": params}


def _splits(panel: Panel) -> Iterator[dict[str, Any]]:
    for position, split in enumerate(panel.splits):
        number = len(panel.measures) + position + 1
        yield {
            "id": str(number),
            "enabled": True,
            "type": {"time": "date_histogram"}.get(split.kind, split.kind),
            "schema": _schema(panel, position),
            "params": _bucket(split),
        }


def _schema(panel: Panel, position: int) -> str:
    """Where a split stands: a table has rows, a pie rings, a chart an x axis and then series."""
    if panel.shape == "table":
        return "bucket"
    if panel.shape == "metric":
        return "group"
    return "segment" if panel.shape == "pie" or position == 0 else "group"


def _bucket(split: Split) -> dict[str, Any]:
    if split.kind == "filters":
        pairs = [
            {"input": {"query": query, "language": "kuery"}, "label": label} for label, query in split.filters
        ]
        return {"filters": pairs}
    if split.kind == "time":
        return {
            "field": split.field,
            "useNormalizedEsInterval": True,
            "scaleMetricValues": False,
            "interval": "auto",
            "drop_partials": False,
            "min_doc_count": 1,
            "extended_bounds": {},
            "customLabel": split.label,
        }
    return {
        "field": split.field,
        "orderBy": "_key" if split.by_key else "1",
        "order": "asc" if split.by_key else "desc",
        "size": split.size,
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": False,
        "missingBucketLabel": "Missing",
        "customLabel": split.label,
    }


def _chart(panel: Panel) -> dict[str, Any]:
    shape, label = panel.shape, panel.measures[0].label
    return {
        "type": shape,
        "grid": _AXIS_STYLE,
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "bottom",
                "show": True,
                "style": {},
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": True, "truncate": 100},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "LeftAxis-1",
                "type": "value",
                "position": "left",
                "show": True,
                "style": {},
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
                "title": {"text": label},
            }
        ],
        "seriesParams": [_series(shape, str(number), one) for number, one in enumerate(panel.measures, 1)],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


def _series(shape: str, number: str, measure: Measure) -> dict[str, Any]:
    made = {
        "show": True,
        "type": shape,
        "mode": "normal" if shape == "line" else "stacked",
        "data": {"label": measure.label, "id": number},
        "valueAxis": "ValueAxis-1",
        "drawLinesBetweenPoints": True,
        "lineWidth": 2,
        "showCircles": True,
    }
    return made if shape == "histogram" else {**made, "interpolate": "linear"}


def _pie(_panel: Panel) -> dict[str, Any]:
    return {
        "type": "pie",
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "isDonut": True,
        "labels": {"show": True, "values": True, "last_level": True, "truncate": 100},
    }


def _table(_panel: Panel) -> dict[str, Any]:
    return {
        "perPage": 10,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "sort": {"columnIndex": None, "direction": None},
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
        "showToolbar": True,
    }


def _metric(_panel: Panel) -> dict[str, Any]:
    return {
        "type": "metric",
        "addTooltip": True,
        "addLegend": False,
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 32},
        },
    }


def _heatmap(_panel: Panel) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "addTooltip": True,
        "addLegend": True,
        "enableHover": False,
        "legendPosition": "right",
        "times": [],
        "colorsNumber": 5,
        "colorSchema": "Blues",
        "setColorRange": False,
        "colorsRange": [],
        "invertColors": False,
        "percentageMode": False,
        "valueAxes": [
            {
                "show": False,
                "id": "ValueAxis-1",
                "type": "value",
                "scale": {"type": "linear", "defaultYExtents": False},
                "labels": {"show": False, "rotate": 0, "overwriteColor": False, "color": "black"},
            }
        ],
    }


_PARAMS = {
    "histogram": _chart,
    "line": _chart,
    "area": _chart,
    "pie": _pie,
    "table": _table,
    "metric": _metric,
    "heatmap": _heatmap,
}
