"""Index templates from the catalogue, so that an engine gives the answers that the embedded store gives.

Where an engine's default would answer otherwise, the mapping says so: times are kept to the nanosecond (`date` would cut
the microseconds off), words are what `predicate.values` takes for words, small letters are one code point each.
A value that its type cannot hold (`testclient` in an address field) does not refuse the event: the field is ignored, and
the engine keeps its name in `_ignored`, which `predicate.dsl` asks for where a field must exist.
"""

from typing import Any

from jwtrail.ecs.catalogue import CATALOGUE, CATALOGUE_VERSION, Field
from jwtrail.elastic.address import Flavour

__all__ = ["ANALYZER", "index_body", "index_template"]

ANALYZER = "jwtrail_words"
"""Cuts a text into runs of letters, marks, digits and `_`, and folds their case."""

DATA_STREAMS = "logs-jwtrail.*-*"
"""The data streams that the template is for: access, audit and alerts, in any namespace."""

PRIORITY = 500
"""Above the engines' own template for `logs-*-*`, which has 100."""

PROOF_FIELDS = ("jwtrail.personal_commitment", "jwtrail.salt")
"""What a shipped document carries beside the event, in hexadecimal, so that its entry can be recomputed: the salt, or what an
erasure leaves of salt and personal fields. Kept in the document only; nobody searches for it."""

_ONLY_KEPT = {"type": "keyword", "index": False, "doc_values": False}

_FLATTENED: dict[Flavour, str] = {"opensearch": "flat_object", "elasticsearch": "flattened"}


def index_template(flavour: Flavour) -> dict[str, Any]:
    """The body of `PUT _index_template/jwtrail`."""
    return {
        "index_patterns": [DATA_STREAMS],
        "data_stream": {},
        "priority": PRIORITY,
        "template": index_body(flavour),
        "_meta": {"managed_by": "jwtrail", "catalogue": CATALOGUE_VERSION},
    }


def index_body(flavour: Flavour) -> dict[str, Any]:
    """Settings and mappings of one index."""
    return {
        "settings": {"index.codec": "best_compression", "analysis": _analysis()},
        "mappings": {
            "dynamic": "strict",
            "date_detection": False,
            "properties": {
                **{field.name: _property(field, flavour) for field in CATALOGUE.values()},
                **dict.fromkeys(PROOF_FIELDS, _ONLY_KEPT),
            },
        },
    }


def _property(field: Field, flavour: Flavour) -> dict[str, Any]:
    match field.type:
        case "date":
            return {"type": "date_nanos", "ignore_malformed": True}
        case "ip":
            return {"type": "ip", "ignore_malformed": True}
        case "text":
            return {"type": "text", "analyzer": ANALYZER, "norms": False}
        case "flattened":
            return {"type": _FLATTENED[flavour]}
    return {"type": field.type}


def _analysis() -> dict[str, Any]:
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
