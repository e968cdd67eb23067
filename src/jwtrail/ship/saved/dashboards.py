"""Which panels and searches stand on which dashboard, and where."""

from collections.abc import Iterator

from msgspec import Struct

from jwtrail.ship.saved.panels import PANELS
from jwtrail.ship.saved.searches import SEARCHES

__all__ = ["COLUMNS", "DASHBOARDS", "Board", "Place", "places"]

COLUMNS = 48
"""Of Kibana's grid."""

SEARCH_ROWS = 18


class Board(Struct, frozen=True):
    """One dashboard: ids of panels in reading order, then saved searches over its whole width."""

    id: str
    title: str
    description: str
    panels: tuple[str, ...]
    searches: tuple[str, ...]


class Place(Struct, frozen=True):
    """Where something stands on the grid.

    Args:
        title: above it; shorter than the saved object's own, which says whose it is.
    """

    kind: str
    id: str
    title: str
    x: int
    y: int
    w: int
    h: int


DASHBOARDS = (
    Board(
        "overview",
        "jwtrail: Overview",
        "Who uses the service, how it answers, and whether the trail is whole.",
        (
            *(
                "traffic",
                "outcomes",
                "status-heat-map",
                "latency",
                "top-routes",
                "top-users",
                "top-addresses",
            ),
            *("top-clients", "top-agents", "integrity", "alerts-over-time", "severities"),
            *("reasons-over-time", "rejection-classes"),
        ),
        ("server-errors",),
    ),
    Board(
        "tokens",
        "jwtrail: Tokens and authentication",
        "What tokens are issued, which are turned away and why, and who fails to sign in.",
        (
            *(
                "token-life",
                "reasons-over-time",
                "rejection-classes",
                "reasons",
                "rejected-addresses",
                "sign-ins",
            ),
            *("failed-names", "issued", "refresh-reuse", "revocations", "algorithms"),
        ),
        ("rejected", "refresh-reused"),
    ),
    Board(
        "attacks",
        "jwtrail: Attacks and responses",
        "What the rules found, what was done about it and how fast, and where data went.",
        (
            *(
                "attack-numbers",
                "time-to-revoke",
                "alerts-over-time",
                "severities",
                "techniques",
                "rules",
                "answers",
            ),
            *("revoke-lag", "targets", "forgers", "exports", "exporters", "integrity", "refresh-reuse"),
        ),
        ("alerts", "answers"),
    ),
)

_BY_ID = {panel.id: panel for panel in PANELS}
_SEARCHES = {search.id: search for search in SEARCHES}


def places(board: Board) -> Iterator[Place]:
    """Panels from left to right, in rows as high as their highest; searches below."""
    x = y = row = 0
    for name in board.panels:
        panel = _BY_ID[name]
        if x + panel.width > COLUMNS:
            x, y, row = 0, y + row, 0
        yield Place("visualization", name, panel.title, x, y, panel.width, panel.height)
        x, row = x + panel.width, max(row, panel.height)
    y += row
    for name in board.searches:
        yield Place("search", name, _SEARCHES[name].title, 0, y, COLUMNS, SEARCH_ROWS)
        y += SEARCH_ROWS
