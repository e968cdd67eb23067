"""`jwtrail detect --store URL --follow`: alerts over what comes into an engine."""

import signal
import threading
from typing import TYPE_CHECKING

from jwtrail.cli.common import json_line, note
from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.detect import RuleSet

__all__ = ["followed"]


def followed(settings: "Settings", ruleset: "RuleSet") -> None:
    """Print alerts as they are found, one a line, until a signal. The position is kept after they are printed.

    Raises:
        ConfigError: no engine is named.
        EngineError: nobody answers there at the start.
    """
    from jwtrail.cli.detect import alert_document  # noqa: PLC0415
    from jwtrail.runtime.remotefollow import detected  # noqa: PLC0415

    if not settings.store:
        raise ConfigError("there is nothing to follow", hint="name an engine with --store")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    note(f"following {settings.store}; Ctrl+C ends it")
    for alert in detected(settings, ruleset, stop):
        json_line(alert_document(alert))
