"""What somebody does on the command line is an event of the trail too."""

from pathlib import Path
from typing import Any

from jwtrail.cli.common import layout_of, settings_of

__all__ = ["record"]


def record(data: Path | None, action: str, message: str, **fields: Any) -> None:
    """Write one event, durably, as a writer of its own; the daemon merges it. The operator is the system's user."""
    import getpass  # noqa: PLC0415

    from jwtrail.ecs import event_for  # noqa: PLC0415
    from jwtrail.trail.writer import TrailWriter  # noqa: PLC0415

    writer = TrailWriter(layout_of(data), settings_of(data).trail)
    try:
        done = writer.put(event_for(action, user_id=getpass.getuser(), message=message, **fields), "sync")
        if done is not None:
            done.result()
    finally:
        writer.close()
