"""Search: pages of events, histograms, top values, over everything that was recorded."""

from jwtrail.query.local import LocalStore
from jwtrail.query.page import MAX_LIMIT, Bucket, Histogram, Page, SearchRequest, TopValues, Value
from jwtrail.query.source import Segment, TrailSource
from jwtrail.query.times import parse_time

__all__ = [
    "MAX_LIMIT",
    "Bucket",
    "Histogram",
    "LocalStore",
    "Page",
    "SearchRequest",
    "Segment",
    "TopValues",
    "TrailSource",
    "Value",
    "parse_time",
]
