"""Index templates from the catalogue, so that an engine gives the answers that the embedded store gives.

Where an engine's default would answer otherwise, the mapping says so: times are kept to the nanosecond (`date` would cut
the microseconds off), words are what `predicate.values` takes for words, small letters are one code point each.
A value that its type cannot hold (`testclient` in an address field) does not refuse the event: the field is ignored, and
the engine keeps its name in `_ignored`, which `predicate.dsl` asks for where a field must exist.
A field that is not in the catalogue refuses the event (`strict`): the shipper lays it aside with the cause, counts it, and
sends it again when the template has been brought up to date.
"""

from typing import Any

from jwtrail.ecs.catalogue import CATALOGUE, Field
from jwtrail.elastic.address import Flavour
from jwtrail.elastic.streams import PATTERN

__all__ = ["ANALYZER", "PROOF_FIELDS", "analysis", "index_body", "index_template"]

ANALYZER = "jwtrail_words"
"""Cuts a text into runs of letters, marks, digits and `_`, and folds their case."""

PRIORITY = 500
"""Above the engines' own template for `logs-*-*`, which has 100."""

PROOF_FIELDS = ("jwtrail.personal_commitment", "jwtrail.salt")
"""What a shipped document carries beside the event, in hexadecimal, so that its entry can be recomputed: the salt, or what an
erasure leaves of salt and personal fields. Kept in the document only; nobody searches for it."""

_ONLY_KEPT = {"type": "keyword", "index": False, "doc_values": False}

_FLATTENED: dict[Flavour, str] = {"opensearch": "flat_object", "elasticsearch": "flattened"}


def index_template(body: dict[str, Any], components: tuple[str, ...] = ()) -> dict[str, Any]:
    """The body of `PUT _index_template/…`.

    Args:
        body: settings and mappings of its own, such as `index_body`; empty when components have all of them.
        components: names of component templates, the later over the earlier.
    """
    made: dict[str, Any] = {"index_patterns": [PATTERN], "data_stream": {}, "priority": PRIORITY}
    if components:
        made["composed_of"] = list(components)
    if body:
        made["template"] = body
    return made


def index_body(
    flavour: Flavour, *, wildcard: bool = True, flat: bool = True, words: bool = True
) -> dict[str, Any]:
    """Settings and mappings of one index.

    Args:
        wildcard: fields of that type can be had; they are keywords without.
        flat: fields whose keys are not known can be searched; they are only kept without.
        words: the engine can cut texts into words as we do; its own standard way serves without.
    """
    settings: dict[str, Any] = {"index.codec": "best_compression"}
    if words:
        settings["analysis"] = analysis()
    return {
        "settings": settings,
        "mappings": {
            "dynamic": "strict",
            "date_detection": False,
            "properties": {
                **{
                    field.name: _property(field, flavour, wildcard=wildcard, flat=flat, words=words)
                    for field in CATALOGUE.values()
                },
                **dict.fromkeys(PROOF_FIELDS, _ONLY_KEPT),
            },
        },
    }


def _property(field: Field, flavour: Flavour, *, wildcard: bool, flat: bool, words: bool) -> dict[str, Any]:
    match field.type:
        case "date" if field.name == "@timestamp":  # of a data stream, which Elasticsearch wants whole
            return {"type": "date_nanos"}
        case "date":
            return {"type": "date_nanos", "ignore_malformed": True}
        case "ip":
            return {"type": "ip", "ignore_malformed": True}
        case "text":
            return {"type": "text", "analyzer": ANALYZER if words else "standard", "norms": False}
        case "flattened":
            return {"type": _FLATTENED[flavour]} if flat else {"type": "object", "enabled": False}
        case "wildcard" if not wildcard:
            return {"type": "keyword"}
        case "wildcard" if flavour == "opensearch":  # 2.x keeps no values to count by unless it is asked to
            return {"type": "wildcard", "doc_values": True}
    return {"type": field.type}


def analysis() -> dict[str, Any]:
    """Our way to cut texts into words, as index settings."""
    # Lucene lowers each code point by itself, as `predicate.values.fold` does; the final sigma is the one that is left.
    return {
        "char_filter": {
            "jwtrail_sigma": {"type": "mapping", "mappings": ["\u03c2=>\u03c3"]},
        },
        "tokenizer": {"jwtrail_words": {"type": "pattern", "pattern": r"[^\p{L}\p{M}\p{N}_]+"}},
        "analyzer": {
            ANALYZER: {
                "type": "custom",
                "char_filter": ["jwtrail_sigma"],
                "tokenizer": "jwtrail_words",
                "filter": ["lowercase"],
            }
        },
    }
