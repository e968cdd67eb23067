"""Kibana Query Language, as Kibana 8.12 reads it."""

from jwtrail.kql.lower import lower
from jwtrail.kql.parser import MAX_NESTING, MAX_QUERY, parse
from jwtrail.predicate.ir import Predicate

__all__ = ["MAX_NESTING", "MAX_QUERY", "compile_kql", "lower", "parse"]


def compile_kql(text: str, now_us: int) -> Predicate:
    """The predicate of a query.

    Args:
        now_us: what `now` means, µs since the epoch.

    Raises:
        KqlError: it does not parse, names a field that does not exist, or a value that its field cannot have.
    """
    return lower(parse(text), now_us, text=text)
