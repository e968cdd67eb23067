"""Predicates as Elasticsearch and OpenSearch query DSL, for indexes whose mapping is made by `jwtrail.elastic`.

What the engines cannot say the same way is refused: a regular expression (Lucene's are anchored and spelled differently),
two fields compared with each other, a part of a text that was cut into words, the order of a wildcard field. Two limits
of the engines are checked here, because their own message names no place in the query.
"""

import ipaddress
from typing import Any

from jwtrail import clock
from jwtrail.ecs.catalogue import Field
from jwtrail.ecs.clean import MAX_TEXT
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
    Op,
    Or,
    Predicate,
    Range,
    Regex,
    SameAs,
    Scalar,
    WordGlob,
)
from jwtrail.predicate.leaves import Compare, Is, Present, leaves_of
from jwtrail.predicate.lucene import MAX_PATTERN, without_case
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.values import fold, words_of

__all__ = ["MAX_CLAUSES", "MAX_LEVELS", "to_dsl"]

MAX_CLAUSES = 1_000
"""Conditions of one query; engines take 1,024 (`indices.query.bool.max_clause_count`), and the caller adds some."""

MAX_LEVELS = 18
"""`bool` within `bool`; OpenSearch takes 20 (`indices.query.bool.max_nested_depth`), and the caller adds some."""

MAX_TIME_US = 9_223_372_036_854_775
"""The last instant that engines can hold to the microsecond, in 2262 (`date_nanos`)."""

LAST_TEXT = "\U0010ffff" * MAX_TEXT
"""No text of an event comes behind it."""

Query = dict[str, Any]
_NONE: Query = {"match_none": {}}
_WILDCARDS = str.maketrans({"*": "\\*", "?": "\\?", "\\": "\\\\"})
_WHOLE_TEXTS = ("keyword", "wildcard")
_COMPARED = ("keyword", "flattened", "long", "date", "ip")
_LENIENT = ("date", "ip")
"""Types whose wrong values are left out of the index and named in `_ignored` (`jwtrail.elastic`)."""


def to_dsl(predicate: Predicate) -> Query:
    """The query object, in filter context: nothing is scored.

    Raises:
        PredicateError: the engines cannot express it; or an unknown field, a wrong value, a limit of `checks`.
    """
    check_size(predicate)
    smaller = simplify(predicate)
    _check_engine(smaller)
    return _query(smaller)


def _check_engine(predicate: Predicate) -> None:
    """Refuse what an engine would refuse."""
    level: list[Predicate] = [predicate]
    leaves = depth = 0
    while level:
        inner: list[Predicate] = []
        for node in level:
            if isinstance(node, And | Or):
                inner.extend(node.items)
            elif isinstance(node, Not):
                inner.append(node.item)
            else:
                leaves += 1
        if inner and (depth := depth + 1) > MAX_LEVELS:
            raise refuse(
                inner[0], f"engines take at most {MAX_LEVELS} levels of and, or, not", "write it flatter"
            )
        if leaves > MAX_CLAUSES:
            raise refuse(predicate, f"engines take at most {MAX_CLAUSES} conditions", "split it")
        level = inner


def _query(node: Predicate) -> Query:
    match node:
        case Anything():
            return {"match_all": {}}
        case Nothing():
            return _NONE
        case And(items=items):
            return {"bool": {"filter": [_query(item) for item in items]}}
        case Or(items=items):
            return _any([_query(item) for item in items])
        case Not(item=item):
            return {"bool": {"must_not": [_query(item)]}}
    return _leaf(node)


def _any(queries: list[Query]) -> Query:
    return {"bool": {"should": queries, "minimum_should_match": 1}}


def _leaf(node: Exists | Equals | Glob | Contains | WordGlob | Range | Regex | Cidr | SameAs) -> Query:
    match node:
        case Exists(field=name):
            return _exists(field_of(node, name)[0], name)
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


def _exists(field: Field, name: str) -> Query:
    there: Query = {"exists": {"field": name}}
    if field.type not in _LENIENT:
        return there
    return _any([there, {"term": {"_ignored": {"value": name}}}])


def _network(node: Cidr) -> Query:
    (leaf,) = leaves_of(node)
    if leaf.field.type != "ip":
        raise refuse(node, f"engines know networks only in address fields, and {node.field} is none")
    network = ipaddress.ip_network(node.network, strict=False)
    if network.version == 6 and network[0].ipv4_mapped:  # engines refuse the prefix
        return {"range": {node.field: {"gte": str(network[0]), "lte": str(network[-1])}}}
    return {"term": {node.field: {"value": str(network)}}}


def _equals(node: Equals) -> Query:
    (leaf,) = leaves_of(node)
    field = leaf.field
    assert isinstance(leaf.test, Is)
    match field.type:
        case "text":
            raise refuse(
                node, f"{field.name} is cut into words and has no whole value", "search for a phrase"
            )
        case "geo_point":
            raise refuse(node, f"{field.name} is a place, which engines search by distance")
        case "date":
            return _instant(node, "gte", leaf.test.value, "lte")
        case "long" | "boolean":
            return {"term": {node.field: {"value": leaf.test.value}}}
        case "ip":
            return {"term": {node.field: {"value": str(ipaddress.ip_address(str(node.value)))}}}
    text = str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
    if not text and field.type == "wildcard":
        return _none_but_there(node.field)
    plain: Query = {"term": {node.field: {"value": text}}}
    if not node.fold or not text:  # OpenSearch finds no empty text without case
        return plain
    if field.type == "flattened":
        raise refuse(node, f"{field.name} compares letters exactly in an engine")
    plain["term"][node.field]["case_insensitive"] = True
    return _without_case(node, (text,), plain)


def _none_but_there(name: str) -> Query:
    """The field is there, and has no character: a wildcard field keeps parts of its values, and the empty text has none."""
    some: Query = {"wildcard": {name: {"value": "?*"}}}
    return {"bool": {"filter": [{"exists": {"field": name}}], "must_not": [some]}}


def _without_case(node: Equals | Glob, pattern: tuple[str | int | None, ...], plain: Query) -> Query:
    """Blind to case as `values.fold` is: engines know only the 26 letters, for others the pattern names its letters."""
    source = without_case(pattern)
    if source is None:
        return plain
    if len(source) > MAX_PATTERN:
        raise refuse(node, "too long for an engine to compare without case", "use a shorter text")
    return {"regexp": {node.field: {"value": source, "flags": "NONE"}}}


def _glob(node: Glob) -> Query:
    (leaf,) = leaves_of(node)  # refuses too many pieces
    field = leaf.field
    if isinstance(leaf.test, Present):
        return _exists(field, node.field)
    if field.type in _WHOLE_TEXTS and all(isinstance(piece, str) for piece in node.pattern):
        whole = "".join(map(str, node.pattern))
        return _equals(Equals(field=node.field, value=whole, fold=node.fold, span=node.span))
    match node.pattern:
        case (str(start), None) if field.type == "flattened" and not node.fold:
            return {"prefix": {node.field: {"value": start}}}
    if field.type not in _WHOLE_TEXTS:
        raise refuse(node, f"engines take no wildcards in {field.name}, which is {field.type}")
    pattern = "".join(_piece(piece) for piece in node.pattern)
    if not node.fold:
        return {"wildcard": {node.field: {"value": pattern}}}
    plain: Query = {"wildcard": {node.field: {"value": pattern, "case_insensitive": True}}}
    return _without_case(node, node.pattern, plain)


def _piece(piece: str | int | None) -> str:
    if piece is None:
        return "*"
    return "?" if isinstance(piece, int) else piece.translate(_WILDCARDS)


def _contains(node: Contains) -> Query:
    if not node.fields:
        raise refuse(node, "engines do not search parts of words in every field", "name the fields")
    each = [_part(node, name) for name in node.fields]
    return each[0] if len(each) == 1 else _any(each)


def _part(node: Contains, name: str) -> Query:
    field, _ = field_of(node, name)
    if field.type == "text" and node.fold and words_of(node.text):
        return {"match_phrase": {name: node.text}}
    if field.type == "text" and not words_of(node.text):
        raise refuse(node, f"{name} is cut into words, and there is none in {node.text!r}")
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
    # The words of the index are folded already.
    pattern = "".join(_piece(None if piece is None else fold(piece)) for piece in node.pattern)
    return {"wildcard": {node.field: {"value": pattern}}}


def _range(node: Range) -> Query:
    (leaf,) = leaves_of(node)
    field, test = leaf.field, leaf.test
    assert isinstance(test, Compare)
    if field.type not in _COMPARED:
        raise refuse(node, f"engines see no order in {field.name}, which is {field.type}")
    if field.type == "date":
        return _instant(node, node.op, test.value)
    value = str(ipaddress.ip_address(str(node.value))) if field.type == "ip" else test.value
    bounds = {node.op: value}
    if field.type == "flattened" and node.field != field.name:  # Elasticsearch wants both for a key inside
        bounds |= {"lte": LAST_TEXT} if node.op.startswith("g") else {"gte": ""}
    return {"range": {node.field: bounds}}


def _instant(node: Equals | Range, op: Op, at: Scalar, other: Op | None = None) -> Query:
    """Order in time; an instant that engines cannot hold is before or behind all that they can."""
    assert isinstance(at, int)
    if 0 <= at <= MAX_TIME_US:
        bounds = {op: clock.iso(at)}
        if other is not None:
            bounds[other] = bounds[op]
        elif op.startswith("l"):
            # Without a lower bound Elasticsearch's histograms take the lowest number for an instant, and fail.
            bounds["gte"] = clock.iso(0)
        return {"range": {node.field: bounds}}
    if other is None and op.startswith("g") == (at < 0):
        return {"exists": {"field": node.field}}
    return _NONE
