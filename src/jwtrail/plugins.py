"""Parts of other packages, found by entry point; the only place that loads any.

Groups: `jwtrail.notifiers` (a factory: options and secret in, a `respond.notify.notice.Sender` out) and `jwtrail.responses`
(a `Sender` itself, called with what an answer of kind `exec` asks for), `jwtrail.sinks` (named like the scheme of its
addresses: an address and `ship.secret` in, a `ship.Sink` out).
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from jwtrail.errors import ConfigError

__all__ = ["NOTIFIERS", "RESPONSES", "SINKS", "load"]

NOTIFIERS = "jwtrail.notifiers"
RESPONSES = "jwtrail.responses"
SINKS = "jwtrail.sinks"


def load(group: str, name: str, where: str) -> Callable[..., Any]:
    """The callable of an entry point.

    Args:
        where: the setting that names it.

    Raises:
        ConfigError: there is none of this name, several, or it cannot be imported.
    """
    found = list(entry_points(group=group, name=name))
    if len(found) != 1:
        others = ", ".join(sorted({one.name for one in entry_points(group=group)})) or "none"
        raise ConfigError(
            f"{len(found) or 'no'} entry point{'s' if len(found) > 1 else ''} {name!r} of {group}",
            where=where,
            hint=f"installed: {others}",
        )
    try:
        made = found[0].load()
    except Exception as error:  # whatever the other package does while it is imported
        raise ConfigError(f"{name}: {type(error).__name__}: {error}", where=where) from error
    if not callable(made):
        raise ConfigError(f"{found[0].value} cannot be called", where=where)
    return made  # type: ignore[no-any-return]
