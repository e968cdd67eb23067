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
    """Show alerts as they are found until a signal. The position is kept after they are shown.

    Raises:
        ConfigError: no engine is named.
        EngineError: nobody answers there at the start.
    """
    from jwtrail.runtime.remotefollow import detected  # noqa: PLC0415

    if not settings.store:
        raise ConfigError("there is nothing to follow", hint="name an engine with --store")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    note(f"following {settings.store}; Ctrl+C ends it")
    for alert in detected(settings, ruleset, stop):
        show(alert)
