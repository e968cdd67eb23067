"""Values of fields counted by an engine: exact, or refused.

Engines keep times to the millisecond when they group by them, cut texts into words, and know no values of places: these
are refused. Lists of values are exact as long as a shard has no more than `MAX_VALUES` different ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jwtrail import clock
from jwtrail.ecs.catalogue import Field
from jwtrail.errors import QueryError
from jwtrail.query.measures import ENTITIES, PERCENTILES
from jwtrail.query.page import Entity, EntityKind, FieldStats, TopValues, Value

__all__ = ["MAX_VALUES", "entities_of", "stats_of", "top_of"]

MAX_VALUES = 10_000
"""Different values that are asked for at once; engines give 65,536 groups in one answer (`search.max_buckets`)."""

PRECISE = 40_000
"""Up to here an engine's estimate of how many different ones there are is nearly exact; its own upper bound."""

EACH_PRECISE = 3_000
"""The same for each of many at once, which takes memory for each."""

Ask = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""`RemoteStore.aggregated`."""

_COUNTED = {"users": "user.id", "addresses": "source.ip", "tokens": "jwt.jti", "paths": "url.path"}
_OWN_ORDER = ("long", "ip", "boolean")
"""Types whose equals an engine sorts by value and not, as the embedded store does, by text."""

_REFUSED = {
    "date": "an engine groups times by the millisecond",
    "text": "it is cut into words there, and has no whole value",
    "geo_point": "an engine knows no values of places",
}


def top_of(ask: Ask, query: dict[str, Any], found: tuple[Field, str], size: int) -> TopValues:
    """The most frequent values."""
    field, _ = found
    name = _checked(found)
    wanted = MAX_VALUES if field.type in _OWN_ORDER else size
    given = ask(query, {"v": _terms(name, wanted), "none": {"missing": {"field": name}}})
    buckets = _buckets(given["v"], field)
    buckets.sort(key=lambda pair: (-pair[1], _as_text(pair[0])))
    shown = buckets[:size]
    other = int(given["v"]["sum_other_doc_count"]) + sum(count for _, count in buckets[size:])
    return TopValues(name, tuple(shown), other, int(given["none"]["doc_count"]))


def stats_of(ask: Ask, query: dict[str, Any], found: tuple[Field, str]) -> FieldStats:
    """Statistics of a field: from all its values where they are few enough, else the engine's estimates."""
    field, _ = found
    name = _checked(found)
    wanted = {"v": _terms(name, MAX_VALUES), "none": {"missing": {"field": name}}}
    given = ask(query, wanted)
    missing = int(given["none"]["doc_count"])
    buckets = _buckets(given["v"], field)
    if int(given["v"]["sum_other_doc_count"]) == 0:
        return _counted(name, field, buckets, missing)
    return _estimated(ask, query, name, field, missing)


def _counted(name: str, field: Field, buckets: Sequence[tuple[Value, int]], missing: int) -> FieldStats:
    values = sorted(buckets, key=lambda pair: pair[0])
    count = sum(number for _, number in values)
    numbers = field.type == "long" and count > 0
    ordered = field.type not in ("ip", "boolean") and values
    return FieldStats(
        field=name,
        count=count,
        missing=missing,
        distinct=len(values),
        exact=True,
        low=values[0][0] if ordered else None,
        high=values[-1][0] if ordered else None,
        mean=sum(int(value) * number for value, number in values) / count if numbers else None,
        percentiles=_percentiles(values, count) if numbers else (),
    )


def _percentiles(values: Sequence[tuple[Value, int]], count: int) -> tuple[tuple[float, float], ...]:
    """Between the two values at the place, as far as the place lies between them (SQL's `quantile_cont`)."""

    def at(place: int) -> int:
        for value, number in values:
            place -= number
            if place < 0:
                return int(value)
        raise AssertionError

    made = []
    for percent in PERCENTILES:
        place = (count - 1) * percent / 100
        low = int(place)
        first = at(low)
        second = at(min(low + 1, count - 1))
        made.append((percent, first + (second - first) * (place - low)))
    return tuple(made)


def _estimated(ask: Ask, query: dict[str, Any], name: str, field: Field, missing: int) -> FieldStats:
    numbers = field.type == "long"
    wanted: dict[str, Any] = {
        "count": {"value_count": {"field": name}},
        "distinct": {"cardinality": {"field": name, "precision_threshold": PRECISE}},
    }
    if numbers:
        wanted["range"] = {"stats": {"field": name}}
        wanted["parts"] = {"percentiles": {"field": name, "percents": list(PERCENTILES), "keyed": False}}
    elif field.type != "ip":
        wanted |= {
            edge: {"terms": {"field": name, "size": 1, "order": {"_key": order}}}
            for edge, order in (("low", "asc"), ("high", "desc"))
        }
    given = ask(query, wanted)
    edges: Mapping[str, Any] = {
        edge: given[edge]["buckets"][0]["key"] for edge in ("low", "high") if edge in given
    }
    if numbers:
        edges = {"low": int(given["range"]["min"]), "high": int(given["range"]["max"])}
    return FieldStats(
        field=name,
        count=int(given["count"]["value"]),
        missing=missing,
        distinct=int(given["distinct"]["value"]),
        exact=False,
        low=edges.get("low"),
        high=edges.get("high"),
        mean=float(given["range"]["avg"]) if numbers else None,
        percentiles=tuple((float(one["key"]), float(one["value"])) for one in given["parts"]["values"])
        if numbers
        else (),
    )


def entities_of(
    ask: Ask, query: dict[str, Any], kind: EntityKind, size: int, *, by_failures: bool
) -> tuple[Entity, ...]:
    """The busiest of a kind, and what they did: found first, then looked at closely. Different ones are nearly exact up to
    some thousand."""
    order = "failures" if by_failures else "_count"
    failures = {"failures": {"filter": {"term": {"event.outcome": {"value": "failure"}}}}}
    wanted = MAX_VALUES if kind == "address" else size  # addresses: see `_OWN_ORDER`
    terms = _terms(ENTITIES[kind], wanted)["terms"] | {"order": [{order: "desc"}, {"_key": "asc"}]}
    busiest = ask(query, {"v": {"terms": terms, "aggs": failures}})["v"]["buckets"]
    busiest.sort(key=lambda one: (-_weight(one, by_failures=by_failures), str(one["key"])))
    del busiest[size:]
    keys = [bucket["key"] for bucket in busiest]
    if not keys:
        return ()
    inner: dict[str, Any] = {
        name: {"cardinality": {"field": field, "precision_threshold": EACH_PRECISE}}
        for name, field in _COUNTED.items()
    }
    # An engine's own minimum and maximum of a time have milliseconds; the events themselves are exact.
    inner |= {
        edge: {"top_hits": {"size": 1, "_source": ["@timestamp"], "sort": [{"@timestamp": way}]}}
        for edge, way in (("first", "asc"), ("last", "desc"))
    }
    theirs = {"bool": {"filter": [query, {"terms": {ENTITIES[kind]: keys}}]}}
    closely = ask(theirs, {"v": {"terms": {"field": ENTITIES[kind], "size": len(keys)}, "aggs": inner}})
    more = {bucket["key"]: bucket for bucket in closely["v"]["buckets"]}
    return tuple(_entity(bucket, more[bucket["key"]]) for bucket in busiest)


def _weight(bucket: dict[str, Any], *, by_failures: bool) -> int:
    return int(bucket["failures"]["doc_count"] if by_failures else bucket["doc_count"])


def _entity(bucket: dict[str, Any], more: dict[str, Any]) -> Entity:
    times = {
        edge: clock.parse_iso(more[edge]["hits"]["hits"][0]["_source"]["@timestamp"])
        for edge in ("first", "last")
    }
    return Entity(
        key=str(bucket["key"]),
        events=int(bucket["doc_count"]),
        failures=int(bucket["failures"]["doc_count"]),
        first_us=times["first"],
        last_us=times["last"],
        **{name: int(more[name]["value"]) for name in _COUNTED},
    )


def _checked(found: tuple[Field, str]) -> str:
    field, key = found
    name = f"{field.name}.{key}" if key else field.name
    if why := _REFUSED.get(field.type):
        raise QueryError(
            f"the values of {name} cannot be counted there: {why}", hint="ask the embedded store"
        )
    return name


def _terms(name: str, size: int) -> dict[str, Any]:
    """Groups by value; every shard tells of many, so that what they say together is exact."""
    order = [{"_count": "desc"}, {"_key": "asc"}]
    return {"terms": {"field": name, "size": size, "shard_size": MAX_VALUES, "order": order}}


def _buckets(terms: dict[str, Any], field: Field) -> list[tuple[Value, int]]:
    return [(_value(bucket, field), int(bucket["doc_count"])) for bucket in terms["buckets"]]


def _value(bucket: dict[str, Any], field: Field) -> Value:
    if field.type == "boolean":
        return bool(bucket["key"])
    return int(bucket["key"]) if field.type == "long" else str(bucket["key"])


def _as_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
