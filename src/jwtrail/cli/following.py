"""`jwtrail detect --store URL --follow`: alerts over what comes into an engine."""

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from jwtrail.cli.common import note
from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.detect import Alert, RuleSet

__all__ = ["followed"]


def followed(settings: "Settings", ruleset: "RuleSet", show: Callable[["Alert"], None]) -> None:
    """Show alerts as they are found until a signal, but none about restricted people. The position is kept after they are shown.

    Raises:
        ConfigError: no engine is named.
        EngineError: nobody answers there at the start.
    """
    from jwtrail.runtime.discreet import shown_of  # noqa: PLC0415
    from jwtrail.runtime.remotefollow import detected, remote_store  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    if not settings.store:
        raise ConfigError("there is nothing to follow", hint="name an engine with --store")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    note(f"following {settings.store}; Ctrl+C ends it")
    restricted, store = Layout(settings.root).restricted, remote_store(settings)
    for alert in detected(settings, ruleset, stop):
        for one in shown_of((alert,), restricted, store):
            show(one)
