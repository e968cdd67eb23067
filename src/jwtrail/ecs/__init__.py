"""Events in the Elastic Common Schema: the record, its catalogue of fields, its bytes, and what may not enter it."""

from jwtrail.ecs.catalogue import CATALOGUE, CATALOGUE_VERSION, Field, field_hint, near_miss
from jwtrail.ecs.codec import decode_document, decode_line, document, encode_parts
from jwtrail.ecs.entry import ENTRY_SIZE, commit, entry_of
from jwtrail.ecs.event import Event, Wal
from jwtrail.ecs.ids import uuid7
from jwtrail.ecs.reasons import REASONS, Reason
from jwtrail.ecs.vocabulary import ACTIONS, IMPORTED, Action, event_for

__all__ = [
    "ACTIONS",
    "CATALOGUE",
    "CATALOGUE_VERSION",
    "ENTRY_SIZE",
    "IMPORTED",
    "REASONS",
    "Action",
    "Event",
    "Field",
    "Reason",
    "Wal",
    "commit",
    "decode_document",
    "decode_line",
    "document",
    "encode_parts",
    "entry_of",
    "event_for",
    "field_hint",
    "near_miss",
    "uuid7",
]
