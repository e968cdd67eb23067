"""Texts in DuckDB SQL that come out as they do in `predicate.values`: without case, and as addresses."""

from jwtrail.predicate.values import FINAL_SIGMA, SIGMA

__all__ = ["address_hex", "folded", "pointer", "quoted", "text", "v4_between"]

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
    return f"replace(lower({value}), '{FINAL_SIGMA}', '{SIGMA}')"


def address_hex(value: str) -> str:
    """SQL of `values.ip_key` as 32 lower-case hexadecimal digits, whose order is the order of addresses; NULL if none."""
    return (
        f"CASE WHEN contains({value}, ':') THEN {_v6_hex(value)}"
        f" WHEN regexp_full_match({value}, '{_V4}')"
        f" THEN {_octets(value, _MAPPED + '{:02x}{:02x}{:02x}{:02x}')} END"
    )


def _v6_hex(value: str) -> str:
    head = f"substr({value}, 1, length({value}) - length(tail))"
    dotted = f"concat({head}, {_octets('tail', '{:02x}{:02x}:{:02x}{:02x}')})"
    tail = f"regexp_extract({value}, '({_V4})$', 1)"
    plain = _let("tail", tail, f"CASE WHEN tail = '' THEN {value} ELSE {dotted} END")
    expanded = f"CASE WHEN regexp_full_match(plain, '{_V6}') THEN {_expanded('plain')} END"
    return _let("plain", plain, expanded)


def _let(name: str, value: str, body: str) -> str:
    """SQL of `body`, in which `name` is `value`: computed once, and its patterns compiled once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def v4_between(value: str, low: int, high: int) -> str:
    """SQL that tells whether a text is an IPv4 address of a network, given by its first and last address.

    The octets that both share are compared as text, which is fast; the first that differs as a number.
    """
    first, last = low.to_bytes(4), high.to_bytes(4)
    if first == last:
        return f"{value} = {text('.'.join(map(str, first)))}"
    shared = next(at for at in range(4) if first[at] != last[at])
    head = "".join(f"{octet}." for octet in first[:shared])
    octet = f"TRY_CAST(split_part({value}, '.', {shared + 1}) AS INTEGER)"
    # Nested, because of an AND DuckDB may compute both sides for every row.
    test = f"regexp_full_match({value}, '{_V4}')"
    if (first[shared], last[shared]) != (0, 255):
        test = f"CASE WHEN {octet} BETWEEN {first[shared]} AND {last[shared]} THEN {test} END"
    return f"CASE WHEN starts_with({value}, {text(head)}) THEN {test} END" if head else test


def _octets(text: str, shape: str) -> str:
    parts = ", ".join(f"CAST(split_part({text}, '.', {number}) AS INTEGER)" for number in (1, 2, 3, 4))
    return f"format('{shape}', {parts})"


def _expanded(name: str) -> str:
    """All eight groups, four digits each: as many zero groups as are missing go where `::` stands."""
    missing = f"(8 - len(regexp_extract_all({name}, '[0-9a-fA-F]+')))"
    full = f"replace({name}, '::', concat(':', repeat('0:', {missing})))"
    groups = f"regexp_extract_all({full}, '[0-9a-fA-F]+')"
    return f"lower(array_to_string(list_transform({groups}, lambda g: lpad(g, 4, '0')), ''))"
