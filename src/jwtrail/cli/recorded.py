"""What somebody does on the command line is an event of the trail too."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jwtrail.cli.common import layout_of, settings_of

if TYPE_CHECKING:
    from jwtrail.ecs import Event

__all__ = ["put", "record"]


def record(data: Path | None, action: str, message: str, **fields: Any) -> None:
    """Write one event, durably, as a writer of its own; the daemon merges it. The operator is the system's user."""
    import getpass  # noqa: PLC0415

    from jwtrail.ecs import event_for  # noqa: PLC0415

    put(data, [event_for(action, user_id=getpass.getuser(), message=message, **fields)])


def put(data: Path | None, events: "Sequence[Event]") -> None:
    """Write events, durably, as a writer of its own; the daemon merges them."""
    from jwtrail.trail.writer import TrailWriter  # noqa: PLC0415

    writer = TrailWriter(layout_of(data), settings_of(data).trail)
    try:
        for done in [writer.put(event, "sync") for event in events]:
            if done is not None:
                done.result()
    finally:
        writer.close()
