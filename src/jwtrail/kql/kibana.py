"""The query DSL that Kibana itself makes of KQL when it knows no fields: for indexes whose mapping is not ours.

Every leaf is analysed by the engine as the mapping there says, so nothing is checked and nothing refused.
"""

from typing import Any

from jwtrail.kql.ast import All, AnyOf, Clause, Compare, Is, Nested, Never, Term, literal

__all__ = ["kibana_dsl"]

Query = dict[str, Any]
_RESERVED = str.maketrans({char: f"\\{char}" for char in '+-=&|><!(){}[]^"~*?:\\/'})


def kibana_dsl(clause: Clause, path: str = "") -> Query:
    """The query object.

    Args:
        path: nested documents that the clause is about; empty outside of any.
    """
    match clause:
        case All(items=items):
            return {"bool": {"filter": [kibana_dsl(item, path) for item in items]}}
        case AnyOf(items=items):
            return _any([kibana_dsl(item, path) for item in items])
        case Never(item=item):
            return {"bool": {"must_not": kibana_dsl(item, path)}}
        case Nested(path=name, item=item):
            inner = _written(name, path)
            below = _name(name, path) if inner else ""  # the paths null and false prefix nothing
            return {"nested": {"path": inner, "query": kibana_dsl(item, below), "score_mode": "none"}}
        case Compare(field=field, op=op, value=value):
            return _any([{"range": {_name(field, path): {op: literal(value)}}}])
        case Is(field=field, value=value):
            return _is(field, value, path)


def _is(field: Term | None, value: Term, path: str) -> Query:
    if not path and (field is None or literal(field) is None):  # Kibana takes an unquoted `null` for no field
        return _everywhere(value)
    if _lone_star(field) and _lone_star(value):
        return {"match_all": {}}
    if _lone_star(value):
        return _any([{"exists": {"field": _written(field, path)}}])
    if value.wild:
        return _any([{"query_string": {"fields": [_written(field, path)], "query": _pattern(value)}}])
    return _any([{"match_phrase" if value.quoted else "match": {_name(field, path): literal(value)}}])


def _everywhere(value: Term) -> Query:
    if value.wild:
        return {"query_string": {"query": _pattern(value)}}
    kind = "phrase" if value.quoted else "best_fields"
    return {"multi_match": {"type": kind, "query": literal(value), "lenient": True}}


def _any(queries: list[Query]) -> Query:
    return {"bool": {"should": queries, "minimum_should_match": 1}}


def _name(field: Term | None, path: str) -> str:
    """The full name of a field; Kibana calls a missing one `null`."""
    name = "null" if field is None else field.text
    return f"{path}.{name}" if path else name


def _written(field: Term | None, path: str) -> str | bool | None:
    """The full name where it stands as a value: outside of nested documents Kibana leaves `true` and `null` literals."""
    return _name(field, path) if path or field is None else literal(field)


def _lone_star(term: Term | None) -> bool:
    """It is one `*`: for Kibana `**` is a pattern like any other."""
    return term is not None and term.parts == (None,)


def _pattern(value: Term) -> str:
    return "".join("*" if part is None else part.translate(_RESERVED) for part in value.parts)
