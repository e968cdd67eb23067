"""Texts in DuckDB SQL that come out as they do in `predicate.values`: without case, and as addresses."""

from jwtrail.predicate.values import DOTTED_I, FINAL_SIGMA, SIGMA

__all__ = ["address_hex", "folded", "pointer", "quoted", "text"]

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP = "[0-9a-fA-F]{1,4}"
_MAPPED = "0" * 20 + "ffff"


def _v6() -> str:
    """A pattern of IPv6 without a dotted tail (RFC 4291 section 2.2): eight groups, or fewer around one `::`."""
    whole = f"(?:{_GROUP}:){{7}}{_GROUP}"
    short = [f"(?:{_GROUP}:){{1,{7 - after}}}(?::{_GROUP}){{1,{after}}}" for after in range(1, 7)]
    ends = [f"(?:{_GROUP}:){{1,7}}:", f":(?:(?::{_GROUP}){{1,7}}|:)"]
    return "|".join([whole, *short, *ends])


_V6 = _v6()


def quoted(name: str) -> str:
    """A name as a SQL identifier."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def text(value: str) -> str:
    """A text as a SQL literal."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def pointer(key: str) -> str:
    """The leaf of a flattened field as a SQL text: a JSON pointer (RFC 6901), because any key can be written as one."""
    escaped = key.replace("~", "~0").replace("/", "~1")
    return text(f"/{escaped}")


def folded(value: str) -> str:
    """SQL of `values.fold`."""
    return f"replace(replace(lower({value}), '{FINAL_SIGMA}', '{SIGMA}'), '{DOTTED_I}', 'i')"


def address_hex(text: str) -> str:
    """SQL of `values.ip_key` as 32 lower-case hexadecimal digits, whose order is the order of addresses; NULL if none."""
    tail = f"regexp_extract({text}, '({_V4})$', 1)"
    plain = (
        f"CASE WHEN contains({text}, '.') AND {tail} <> ''"
        f" THEN concat(substr({text}, 1, length({text}) - length({tail})), {_octets(tail, '{:02x}{:02x}:{:02x}{:02x}')})"
        f" ELSE {text} END"
    )
    return (
        f"CASE WHEN regexp_full_match({text}, '{_V4}')"
        f" THEN {_octets(text, _MAPPED + '{:02x}{:02x}{:02x}{:02x}')}"
        f" WHEN contains({text}, ':') AND regexp_full_match({plain}, '{_V6}') THEN {_expanded(plain)} END"
    )


def _octets(text: str, shape: str) -> str:
    parts = ", ".join(f"CAST(split_part({text}, '.', {number}) AS INTEGER)" for number in (1, 2, 3, 4))
    return f"format('{shape}', {parts})"


def _expanded(text: str) -> str:
    """All eight groups, four digits each: as many zero groups as are missing go where `::` stands."""
    missing = f"(8 - len(regexp_extract_all({text}, '[0-9a-fA-F]+')))"
    full = f"replace({text}, '::', concat(':', repeat('0:', {missing})))"
    groups = f"regexp_extract_all({full}, '[0-9a-fA-F]+')"
    return f"lower(array_to_string(list_transform({groups}, lambda g: lpad(g, 4, '0')), ''))"
