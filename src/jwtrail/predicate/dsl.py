"""Predicates as Elasticsearch and OpenSearch query DSL, for indexes whose mapping is made from the catalogue.

What the engines cannot say the same way is refused: a regular expression (Lucene's are anchored and spelled differently),
two fields compared with each other, a part of a text that was cut into words.
"""

import ipaddress
from typing import Any

from jwtrail import clock
from jwtrail.ecs.catalogue import Field
from jwtrail.predicate.checks import check_size, field_of, refuse
from jwtrail.predicate.ir import (
    And,
    Anything,
    Cidr,
    Contains,
    Equals,
    Exists,
    Glob,
    Not,
    Nothing,
    Or,
    Predicate,
    Range,
    Regex,
    SameAs,
    Scalar,
    WordGlob,
)
from jwtrail.predicate.leaves import Compare, Is, leaves_of
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.values import words_of

__all__ = ["to_dsl"]

Query = dict[str, Any]
_WILDCARDS = str.maketrans({"*": "\\*", "?": "\\?", "\\": "\\\\"})
_WHOLE_TEXTS = ("keyword", "wildcard")
_COMPARED = ("keyword", "wildcard", "flattened", "long", "date", "ip")


def to_dsl(predicate: Predicate) -> Query:
    """The query object, in filter context: nothing is scored.

    Raises:
        PredicateError: the engines cannot express it; or an unknown field, a wrong value, a limit of `checks`.
    """
    check_size(predicate)
    return _query(simplify(predicate))


def _query(node: Predicate) -> Query:
    match node:
        case Anything():
            return {"match_all": {}}
        case Nothing():
            return {"match_none": {}}
        case And(items=items):
            return {"bool": {"filter": [_query(item) for item in items]}}
        case Or(items=items):
            return {"bool": {"should": [_query(item) for item in items], "minimum_should_match": 1}}
        case Not(item=item):
            return {"bool": {"must_not": [_query(item)]}}
    return _leaf(node)


def _leaf(node: Exists | Equals | Glob | Contains | WordGlob | Range | Regex | Cidr | SameAs) -> Query:
    match node:
        case Exists(field=name):
            field_of(node, name)
            return {"exists": {"field": name}}
        case Equals():
            return _equals(node)
        case Glob():
            return _glob(node)
        case Contains():
            return _contains(node)
        case WordGlob():
            return _word_glob(node)
        case Range():
            return _range(node)
        case Cidr():
            return _network(node)
        case Regex():
            raise refuse(
                node,
                "engines spell regular expressions differently",
                "use wildcards, or search the local store",
            )
        case SameAs():
            raise refuse(node, "engines do not compare two fields", "search the local store")


def _network(node: Cidr) -> Query:
    (leaf,) = leaves_of(node)
    if leaf.field.type != "ip":
        raise refuse(node, f"engines know networks only in address fields, and {node.field} is none")
    return {"term": {node.field: {"value": node.network}}}


def _equals(node: Equals) -> Query:
    (leaf,) = leaves_of(node)
    field = leaf.field
    assert isinstance(leaf.test, Is)
    if field.type == "text":
        raise refuse(node, f"{field.name} is cut into words and has no whole value", "search for a phrase")
    value = _constant(field, node.value, leaf.test.value)
    if field.type == "date":
        return {"range": {node.field: {"gte": value, "lte": value}}}
    query: Query = {"value": value}
    if node.fold and field.type in _WHOLE_TEXTS:
        query["case_insensitive"] = True
    elif node.fold and field.type == "flattened":
        raise refuse(node, f"{field.name} compares letters exactly in an engine")
    return {"term": {node.field: query}}


def _constant(field: Field, written: Scalar, converted: Scalar) -> Scalar:
    """The value as the engine wants it: times and addresses as text, everything else converted."""
    match field.type:
        case "date":
            assert isinstance(converted, int)
            return clock.iso(max(0, min(converted, clock.parse_iso("9999-12-31T23:59:59.999999Z"))))
        case "ip":
            return str(ipaddress.ip_address(str(written)))
        case "long" | "boolean":
            return converted
    return str(written).lower() if isinstance(written, bool) else str(written)


def _glob(node: Glob) -> Query:
    leaves_of(node)  # refuses too many pieces
    field, _ = field_of(node, node.field)
    if node.pattern == (None,):
        return {"exists": {"field": node.field}}
    match node.pattern:
        case (str(start), None) if field.type == "flattened" and not node.fold:
            return {"prefix": {node.field: {"value": start}}}
    if field.type not in _WHOLE_TEXTS:
        raise refuse(node, f"engines take no wildcards in {field.name}, which is {field.type}")
    pattern = "".join(_piece(piece) for piece in node.pattern)
    query: Query = {"value": pattern}
    if node.fold:
        query["case_insensitive"] = True
    return {"wildcard": {node.field: query}}


def _piece(piece: str | int | None) -> str:
    if piece is None:
        return "*"
    return "?" if isinstance(piece, int) else piece.translate(_WILDCARDS)


def _contains(node: Contains) -> Query:
    if not node.fields:
        raise refuse(node, "engines do not search parts of words in every field", "name the fields")
    each = [_part(node, name) for name in node.fields]
    return each[0] if len(each) == 1 else {"bool": {"should": each, "minimum_should_match": 1}}


def _part(node: Contains, name: str) -> Query:
    field, _ = field_of(node, name)
    if field.type == "text" and node.fold:
        return {"match_phrase": {name: node.text}}
    return _glob(Glob(field=name, pattern=(None, node.text, None), fold=node.fold, span=node.span))


def _word_glob(node: WordGlob) -> Query:
    leaves_of(node)
    literal = "".join(piece for piece in node.pattern if piece is not None)
    if words_of(literal) != [literal] or not node.fold:
        raise refuse(
            node,
            "engines look for such a pattern in one word at a time, in small letters",
            "ask for a phrase",
        )
    pattern = "".join(_piece(piece) for piece in node.pattern)
    return {"wildcard": {node.field: {"value": pattern, "case_insensitive": True}}}


def _range(node: Range) -> Query:
    (leaf,) = leaves_of(node)
    assert isinstance(leaf.test, Compare)
    if leaf.field.type not in _COMPARED:
        raise refuse(node, f"engines see no order in {leaf.field.name}, which is {leaf.field.type}")
    return {"range": {node.field: {node.op: _constant(leaf.field, node.value, leaf.test.value)}}}
