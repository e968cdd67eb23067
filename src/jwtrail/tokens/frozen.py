"""JSON that nobody changes by accident: what a remembered token says is handed to every request that brings it."""

from typing import Any, NoReturn, Self

__all__ = ["NOTHING", "FrozenDict", "frozen"]


class FrozenDict(dict[str, Any]):
    """A dict that refuses to be changed; `dict(it)` gives one that may be. Being a dict, it is written as JSON like one."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("claims cannot be changed; dict(…) makes a copy that can")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)


NOTHING = FrozenDict()
"""No claims."""


_OPEN = (dict, list)


def frozen(value: dict[str, Any]) -> FrozenDict:
    """A decoded JSON object that cannot be changed, in depth: objects become frozen, lists tuples."""
    for one in value.values():
        if type(one) in _OPEN:
            return FrozenDict({name: _frozen(one) for name, one in value.items()})
    return FrozenDict(value)


def _frozen(value: Any) -> Any:
    if type(value) is dict:
        return frozen(value)
    return tuple(map(_frozen, value)) if type(value) is list else value
