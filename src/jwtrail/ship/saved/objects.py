"""The saved objects themselves, as the import of Kibana 7.10 to 8.x and of OpenSearch Dashboards takes them.

They say nothing of versions: every Kibana brings what has none up to its own, and refuses what says it is newer.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from jwtrail.elastic.streams import PATTERN
from jwtrail.ship.saved.dashboards import DASHBOARDS, Board, Place, places
from jwtrail.ship.saved.formats import field_formats
from jwtrail.ship.saved.panel import Panel
from jwtrail.ship.saved.panels import PANELS
from jwtrail.ship.saved.searches import SEARCHES, Search
from jwtrail.ship.saved.visual import ui_state, vis_state

__all__ = ["DATA_VIEW", "id_of", "saved_objects", "written"]

Object = dict[str, Any]

DATA_VIEW = "jwtrail-events"
_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"


def saved_objects(*, console_url: str = "") -> list[Object]:
    """Everything, in an order in which each refers only to those before it.

    Args:
        console_url: where the jwtrail console is; ids of events and alerts become links to it.
    """
    return [
        _data_view(console_url),
        *(_search(search) for search in SEARCHES),
        *(_visualization(panel) for panel in PANELS),
        *(_dashboard(board) for board in DASHBOARDS),
    ]


def written(objects: Sequence[Object]) -> bytes:
    """One JSON document a line, as an export has them."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in objects)


def id_of(name: str) -> str:
    """The id of a saved object; they are unique by type and id."""
    return f"jwtrail-{name}"


def _data_view(console_url: str) -> Object:
    attributes = {
        "title": PATTERN,
        "timeFieldName": "@timestamp",
        "fieldFormatMap": _text(field_formats(console_url)),
    }
    return {"id": DATA_VIEW, "type": "index-pattern", "attributes": attributes, "references": []}


def _search(search: Search) -> Object:
    attributes = {
        "title": f"jwtrail: {search.title}",
        "description": search.description,
        "hits": 0,
        "columns": list(search.columns),
        "sort": [["@timestamp", "desc"]],
        "kibanaSavedObjectMeta": _source(search.query, highlightAll=True),
    }
    return {"id": id_of(search.id), "type": "search", "attributes": attributes, "references": [_events()]}


def _visualization(panel: Panel) -> Object:
    title = f"jwtrail: {panel.title}"
    attributes = {
        "title": title,
        "description": panel.question,
        "visState": _text(vis_state(panel, title)),
        "uiStateJSON": _text(ui_state(panel)),
        "kibanaSavedObjectMeta": _source(panel.query),
    }
    return {
        "id": id_of(panel.id),
        "type": "visualization",
        "attributes": attributes,
        "references": [_events()],
    }


def _dashboard(board: Board) -> Object:
    placed = list(enumerate(places(board), 1))
    attributes = {
        "title": board.title,
        "description": board.description,
        "hits": 0,
        "panelsJSON": _text([_panel(number, place) for number, place in placed]),
        "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 0},
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": _text({"query": {"query": "", "language": "kuery"}, "filter": []})
        },
    }
    references = [
        {"name": f"panel_{number}", "type": place.kind, "id": id_of(place.id)} for number, place in placed
    ]
    return {"id": id_of(board.id), "type": "dashboard", "attributes": attributes, "references": references}


def _panel(number: int, place: Place) -> Object:
    return {
        "gridData": {"x": place.x, "y": place.y, "w": place.w, "h": place.h, "i": str(number)},
        "panelIndex": str(number),
        "title": place.title,
        "embeddableConfig": {},
        "panelRefName": f"panel_{number}",
    }


def _source(query: str, **more: Any) -> Object:
    source = {"query": {"query": query, "language": "kuery"}, "filter": [], "indexRefName": _SOURCE, **more}
    return {"searchSourceJSON": _text(source)}


def _events() -> Object:
    return {"name": _SOURCE, "type": "index-pattern", "id": DATA_VIEW}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
