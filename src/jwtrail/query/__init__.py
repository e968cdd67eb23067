"""Search: pages of events, histograms, top values, over everything that was recorded."""

from jwtrail.query.local import LocalStore
from jwtrail.query.page import (
    MAX_LIMIT,
    Bucket,
    Entity,
    EntityKind,
    FieldStats,
    Histogram,
    Page,
    SearchRequest,
    TopValues,
    Value,
)
from jwtrail.query.running import MAX_SECONDS, Run, running
from jwtrail.query.source import Segment, TrailSource
from jwtrail.query.store import Store
from jwtrail.query.times import parse_time

__all__ = [
    "MAX_LIMIT",
    "MAX_SECONDS",
    "Bucket",
    "Entity",
    "EntityKind",
    "FieldStats",
    "Histogram",
    "LocalStore",
    "Page",
    "Run",
    "SearchRequest",
    "Segment",
    "Store",
    "TopValues",
    "TrailSource",
    "Value",
    "parse_time",
    "running",
]
