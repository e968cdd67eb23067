"""What a panel is: one question, the events it is asked of, how they are split, and what is counted."""

from typing import Literal

from msgspec import Struct

__all__ = ["Measure", "Panel", "Shape", "Split", "filters", "percentiles", "terms", "time"]

Shape = Literal["histogram", "line", "area", "pie", "table", "metric", "heatmap"]


class Measure(Struct, frozen=True):
    """A number of each bucket; the first one of a panel orders its terms.

    Args:
        kind: `count` has no field.
        label: what the axis, the column or the number is called.
        percents: of `percentiles`.
    """

    kind: Literal["count", "cardinality", "sum", "avg", "max", "percentiles"]
    label: str
    field: str = ""
    percents: tuple[float, ...] = ()


class Split(Struct, frozen=True):
    """One level of buckets.

    Args:
        field: of `terms` and `time`.
        size: most buckets of `terms`.
        by_key: terms in their own order, not by how many.
        filters: of `filters`: a label and a KQL query each.
    """

    kind: Literal["time", "terms", "filters"]
    label: str
    field: str = ""
    size: int = 10
    by_key: bool = False
    filters: tuple[tuple[str, str], ...] = ()


class Panel(Struct, frozen=True, kw_only=True):
    """One visualization.

    Args:
        id: part of the saved object's id; never changes, so that an import replaces.
        title: the question's short form, above the panel.
        question: what it answers, in its description.
        query: KQL; which events it is about.
        measures: at least one.
        splits: from the outermost; of a chart the first is its x axis.
        width: of 48 columns.
        height: in rows of about 20 px.
    """

    id: str
    title: str
    question: str
    shape: Shape
    query: str
    measures: tuple[Measure, ...]
    splits: tuple[Split, ...] = ()
    width: int = 24
    height: int = 12


def time() -> Split:
    """The x axis of whatever goes on over time."""
    return Split("time", "Time", "@timestamp")


def terms(field: str, label: str, size: int = 10, *, by_key: bool = False) -> Split:
    """The commonest values of a field."""
    return Split("terms", label, field, size, by_key)


def filters(label: str, *pairs: tuple[str, str]) -> Split:
    """One bucket for each query."""
    return Split("filters", label, filters=pairs)


def percentiles(field: str, label: str, *percents: float) -> Measure:
    """What so many percent stay below."""
    return Measure("percentiles", label, field, percents)
