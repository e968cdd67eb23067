"""Answers about counts: statistics of a field, what users, addresses, tokens and clients did, and saved searches."""

from msgspec import structs

from jwtrail.kql import compile_kql
from jwtrail.query.times import parse_time
from jwtrail.state.saved import SavedSearch, SavedSearches
from jwtrail.web import countshapes, questions
from jwtrail.web.answers import NotSaved
from jwtrail.web.call import Call
from jwtrail.web.events import request_of
from jwtrail.web.shapes import TopValue

__all__ = ["entities", "forget", "keep", "saved", "stats"]


def stats(call: Call) -> countshapes.FieldStats:
    query: questions.TopQuery = call.query
    request, store = request_of(call), call.services.store
    found, values = store.stats(query.field_, request), store.top(query.field_, request, query.size)
    return countshapes.FieldStats(
        field_=found.field,
        count=found.count,
        missing=found.missing,
        distinct=found.distinct,
        exact=found.exact,
        low=None if found.low is None else str(found.low),
        high=None if found.high is None else str(found.high),
        mean=found.mean,
        percentiles=tuple(countshapes.Percentile(percent=p, value=value) for p, value in found.percentiles),
        top=tuple(TopValue(value=str(value), count=count) for value, count in values.values),
        other=values.other,
    )


def entities(call: Call) -> countshapes.EntitiesPage:
    query: questions.EntitiesQuery = call.query
    found = call.services.store.entities(
        query.kind, request_of(call), query.size, by_failures=query.order == "failures"
    )
    return countshapes.EntitiesPage(
        kind=query.kind, entities=tuple(countshapes.EntityView(**structs.asdict(one)) for one in found)
    )


def saved(call: Call) -> countshapes.SavedPage:
    with SavedSearches(call.services.state.path) as searches:
        return countshapes.SavedPage(searches=tuple(map(_view, searches.all())))


def keep(call: Call) -> countshapes.SavedView:
    """What does not parse is refused, as the search itself would."""
    body: questions.NewSaved = call.body
    now = call.services.now_us()
    compile_kql(body.q, now)
    for moment in (body.from_, body.to):
        parse_time(moment, now)
    made = SavedSearch(name=body.name, query=body.q, start=body.from_, end=body.to, at_us=now)
    with SavedSearches(call.services.state.path) as searches:
        searches.put(made)
    return _view(made)


def forget(call: Call) -> None:
    with SavedSearches(call.services.state.path) as searches:
        if not searches.remove(call.path["name"]):
            raise NotSaved(f"no saved search {call.path['name']!r}")


def _view(one: SavedSearch) -> countshapes.SavedView:
    return countshapes.SavedView(name=one.name, q=one.query, from_=one.start, to=one.end, saved_us=one.at_us)
