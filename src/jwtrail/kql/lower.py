"""KQL to the filter language: the catalogue's type of a field decides what a value means, as a mapping does in an engine.

Keywords compare whole and exactly, `text` by words, dates by the stretch of time they name, addresses as addresses. A bare
word is looked for in the default fields. What no field can mean is refused, with its place.
"""

import re

from jwtrail.ecs.catalogue import CATALOGUE, DEFAULT_FIELDS, Field, field_hint, near_miss, resolve
from jwtrail.errors import KqlError
from jwtrail.kql.ast import All, AnyOf, Clause, Compare, Is, Nested, Never, Term
from jwtrail.kql.values import Meaning, Unfit
from jwtrail.predicate.ir import And, Anything, Exists, Not, Nothing, Or, Predicate, Span

__all__ = ["lower"]

_ANY_LEAF = "\0"
"""Stands for the names inside a flattened field; only a wildcard fits it."""


def lower(clause: Clause, now_us: int, *, text: str = "") -> Predicate:
    """The predicate of a query.

    Args:
        now_us: what `now` means in date math.
        text: the query, for the error messages.

    Raises:
        KqlError: a field that does not exist, or a value that its field cannot have.
    """
    return _Lowering(now_us, text).clause(clause)


class _Lowering:
    def __init__(self, now_us: int, text: str) -> None:
        self._meaning = Meaning(now_us)
        self._text = text

    def clause(self, clause: Clause) -> Predicate:
        match clause:
            case All(items=items, span=span):
                return And(items=tuple(map(self.clause, items)), span=span)
            case AnyOf(items=items, span=span):
                return Or(items=tuple(map(self.clause, items)), span=span)
            case Never(item=item, span=span):
                return Not(item=self.clause(item), span=span)
            case Is(field=None, value=value, span=span):
                return self._bare(value, span)
            case Is(field=field, value=value, span=span):
                assert field is not None
                return self._is(field, value, span)
            case Compare():
                return self._compare(clause)
            case Nested(path=path):
                raise self._error(
                    f"{path.text} holds no nested documents",
                    path.span,
                    "fields are written whole, like user.id: value",
                )

    def _bare(self, value: Term, span: Span) -> Predicate:
        if value.star:
            return Anything(span=span)
        found = [
            meant
            for name in DEFAULT_FIELDS
            if not isinstance(meant := self._meaning.equal(name, CATALOGUE[name], value, span), Unfit)
        ]
        return Or(items=tuple(found), span=span) if found else Nothing(span=span)

    def _is(self, field: Term, value: Term, span: Span) -> Predicate:
        if field.star and value.star:
            return Anything(span=span)
        named = self._fields(field)
        if value.star:
            return _any([Exists(field=name, span=span) for name, _ in named], span)
        return self._each(
            field, [(name, self._meaning.equal(name, kind, value, span)) for name, kind in named], value, span
        )

    def _compare(self, clause: Compare) -> Predicate:
        meant = [
            (name, self._meaning.ordered(name, kind, clause.op, clause.value, clause.span))
            for name, kind in self._fields(clause.field)
        ]
        return self._each(clause.field, meant, clause.value, clause.span)

    def _each(
        self, field: Term, meant: list[tuple[str, Predicate | Unfit]], value: Term, span: Span
    ) -> Predicate:
        """Any of the fields; one that was written out must be able to hold the value, of a pattern's at least one."""
        fit = [one for _, one in meant if not isinstance(one, Unfit)]
        if fit:
            return _any(fit, span)
        name, unfit = meant[0]
        assert isinstance(unfit, Unfit)
        if field.wild:
            raise self._error(f"no field {field.text} can hold {value.text!r}", value.span)
        raise self._error(f"{name} {unfit.message}", value.span, unfit.hint)

    def _fields(self, field: Term) -> list[tuple[str, Field]]:
        name = field.text
        if not field.wild:
            found = resolve(name)
            if found is None:
                raise self._error(f"no field {name}", field.span, field_hint(name))
            return [(name, found[0])]
        shape = re.compile(".*".join(map(re.escape, _spread(field))))
        named = [
            (known, kind)
            for known, kind in CATALOGUE.items()
            if shape.fullmatch(known)
            or (kind.type == "flattened" and shape.fullmatch(f"{known}.{_ANY_LEAF}"))
        ]
        if not named:
            raise self._error(f"no field fits {name}", field.span, near_miss(name.replace("*", "")))
        return named

    def _error(self, message: str, span: Span, hint: str = "") -> KqlError:
        return KqlError(message, text=self._text, start=span.start, end=span.end, hint=hint)


def _spread(field: Term) -> list[str]:
    """The texts between the wildcards of a name, with empty ones at its ends where a wildcard stands there."""
    texts = [""]
    for part in field.parts:
        if part is None:
            texts.append("")
        else:
            texts[-1] += part
    return texts


def _any(items: list[Predicate], span: Span) -> Predicate:
    return items[0] if len(items) == 1 else Or(items=tuple(items), span=span)
