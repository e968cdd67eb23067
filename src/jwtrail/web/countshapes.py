"""What goes over the wire about counts and saved searches; as `shapes`, which holds everything else."""

from msgspec import Struct, field

from jwtrail.web.shapes import TopValue

__all__ = ["EntitiesPage", "EntityView", "FieldStats", "Percentile", "SavedPage", "SavedView"]


class Percentile(Struct, frozen=True, kw_only=True):
    """So many per cent of the values are not larger."""

    percent: float
    value: float


class FieldStats(Struct, frozen=True, kw_only=True):
    """What the values of a field look like.

    Args:
        count: values; every item of a list counts.
        missing: events without the field.
        distinct: different values, estimated when not `exact`.
        low: the smallest value as text, high the largest; null where the type has no order people use.
        mean: of a number, with `percentiles`.
        top: the most frequent values; `other` events carry another one.
    """

    field_: str = field(name="field")
    count: int
    missing: int
    distinct: int
    exact: bool
    low: str | None = None
    high: str | None = None
    mean: float | None = None
    percentiles: tuple[Percentile, ...] = ()
    top: tuple[TopValue, ...] = ()
    other: int = 0


class EntityView(Struct, frozen=True, kw_only=True):
    """What one user, address, token or client did; the last four count different values."""

    key: str
    events: int
    failures: int
    first_us: int
    last_us: int
    users: int
    addresses: int
    tokens: int
    paths: int


class EntitiesPage(Struct, frozen=True, kw_only=True):
    """The busiest first."""

    kind: str
    entities: tuple[EntityView, ...]


class SavedView(Struct, frozen=True, kw_only=True):
    """A search kept under a name; its times as they were written, so `now-24h` means that whenever it runs."""

    name: str
    q: str
    from_: str = field(name="from")
    to: str
    saved_us: int


class SavedPage(Struct, frozen=True, kw_only=True):
    """All of them, by name."""

    searches: tuple[SavedView, ...]
