"""Smaller predicates of the same meaning: constants gone, nesting flat, doubles once."""

from jwtrail.predicate.ir import And, Anything, Not, Nothing, Or, Predicate

__all__ = ["simplify"]


def simplify(predicate: Predicate) -> Predicate:
    """The same truth for every event, without constants inside, nested `And` in `And` or repeated items."""
    match predicate:
        case And(items=items):
            return _join(And, items, predicate)
        case Or(items=items):
            return _join(Or, items, predicate)
        case Not(item=item):
            inner = simplify(item)
            match inner:
                case Not(item=twice):
                    return twice
                case Anything():
                    return Nothing(span=predicate.span)
                case Nothing():
                    return Anything(span=predicate.span)
            return Not(item=inner, span=predicate.span)
    return predicate


def _join(kind: type[And | Or], items: tuple[Predicate, ...], whole: And | Or) -> Predicate:
    neutral, decisive = (Anything, Nothing) if kind is And else (Nothing, Anything)
    kept: dict[Predicate, None] = {}
    for item in map(simplify, items):
        if isinstance(item, decisive):
            return decisive(span=whole.span)
        if isinstance(item, kind):
            kept.update(dict.fromkeys(item.items))
        elif not isinstance(item, neutral):
            kept[item] = None
    if not kept:
        return neutral(span=whole.span)
    return next(iter(kept)) if len(kept) == 1 else kind(items=tuple(kept), span=whole.span)
