"""Segments and parts of the index as SQL tables."""

from collections.abc import Sequence

from jwtrail.predicate.sql_text import quoted, text
from jwtrail.query.parts import Part
from jwtrail.query.source import Segment

__all__ = ["columns_of", "files_sql", "table_of"]


def columns_of(segments: Sequence[Segment]) -> frozenset[str]:
    """Columns that any of the segments has."""
    return frozenset[str]().union(*(segment.columns for segment in segments))


def table_of(segments: Sequence[Segment]) -> str:
    """Segments, or one part, as one SQL table."""
    if isinstance(segments[0], Part):
        assert len(segments) == 1
        return f"{quoted(segments[0].name)}.events"
    return files_sql(segments)


def files_sql(segments: Sequence[Segment]) -> str:
    """Parquet files as a SQL table; a path cannot be a parameter, because the columns must be known before."""
    paths = ", ".join(text(str(segment.path)) for segment in segments)
    return f"read_parquet([{paths}], union_by_name = true)"
