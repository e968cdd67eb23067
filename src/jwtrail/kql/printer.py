"""KQL as text: a tree written out with all its parentheses, and values made safe to be put into a query."""

import re

from jwtrail.kql.ast import EVERYTHING, All, AnyOf, Clause, Compare, Is, Nested, Never, Term

__all__ = ["escape", "has_bare_words", "quote", "to_kql"]

_OPS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_SPECIAL = re.compile(r'[\\():<>"*{}]')
_KEYWORD = re.compile(r"(?<=\s)(and|or|not)(?=\s)|^not(?=\s)", re.IGNORECASE)
_WHITE = {"\t": "\\t", "\r": "\\r", "\n": "\\n"}


def quote(text: str) -> str:
    """The text as a phrase in double quotes, which stands for itself whatever is in it."""
    inside = re.sub(r'["\\]', r"\\\g<0>", text)
    return f'"{_white(inside)}"'


def escape(text: str) -> str:
    """The text as an unquoted value; `not` between spaces cannot be written so (`\\not` is a line feed and `ot`): `quote` it."""
    return _white(_KEYWORD.sub(lambda match: f"\\{match.group()}", _SPECIAL.sub(r"\\\g<0>", text)))


def to_kql(clause: Clause) -> str:
    """The query, one spelling for each tree."""
    match clause:
        case All(items=items):
            return f"({' AND '.join(map(to_kql, items))})"
        case AnyOf(items=items):
            return f"({' OR '.join(map(to_kql, items))})"
        case Never(item=item):
            return f"NOT {to_kql(item)}"
        case Nested(path=path, item=item):
            return f"{_term(path)}: {{ {to_kql(item)} }}"
        case Compare(field=field, op=op, value=value):
            name = _term(field)
            gap = "" if _ends_with_not(name) else " "
            return _closed(f"{name}{gap}{_OPS[op]} {_term(value)}")
        case Is(field=None, value=value):
            return _closed(_term(value))
        case Is(field=field, value=value):
            assert field is not None
            return _closed(f"{_term(field)}: {_term(value)}")


def has_bare_words(clause: Clause) -> bool:
    """Some value stands without a field."""
    match clause:
        case All(items=items) | AnyOf(items=items):
            return any(map(has_bare_words, items))
        case Never(item=item) | Nested(item=item):
            return has_bare_words(item)
        case Is(field=field):
            return field is None and clause != EVERYTHING
    return False


def _closed(written: str) -> str:
    """In parentheses where a space behind it would make a `not` of its last letters."""
    return f"({written})" if _ends_with_not(written) else written


def _ends_with_not(written: str) -> bool:
    return written.lower().endswith("not")


def _term(term: Term) -> str:
    if term.quoted or not term.parts:
        return quote(term.text)
    return "".join("*" if part is None else escape(part) for part in term.parts)


def _white(text: str) -> str:
    return "".join(_WHITE.get(char, char) for char in text)
