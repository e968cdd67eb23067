"""Tells queries that were written in Lucene's syntax by habit, for a better hint."""

import re

__all__ = ["looks_like_lucene"]

_SIGNS = re.compile(
    r"""
    \[ [^\]]* \s TO \s [^\]]* \]        # a range: [1 TO 10]
    | \b_exists_ \s* :
    | : \s* / [^\s/] [^/]* / (?!\S)     # a regular expression as the whole value
    | : \s* [^\s"()]* \?                # one character
    | \S ~ (?: \d | (?!\S) )            # fuzzy, or words near each other
    | \S \^ \d                          # a boost
    | (?: ^ | [\s(] ) [+-] [\w.]+ \s* : # must and must not
    | \s (?: && | \|\| ) \s
    """,
    re.VERBOSE,
)


def looks_like_lucene(text: str) -> bool:
    """The query holds something that means something in Lucene and nothing, or an ordinary character, in KQL."""
    return _SIGNS.search(text) is not None
