"""What can be set about the trail; `config` fills it."""

from pathlib import Path

from msgspec import Struct

from jwtrail.errors import ConfigError
from jwtrail.trail.retention import Retention

__all__ = ["TrailSettings"]


class TrailSettings(Struct, frozen=True, kw_only=True):
    """Bounds and intervals of the trail.

    Args:
        queue_size: events that may wait for the writer of a process; 1 or more. Beyond it a `sync` event is
            refused, any other is dropped and counted in one `logging-gap` event.
        batch_ms: longest time a `batch` event is not yet durable, milliseconds; 0 syncs every write.
        batch_events: most events that are written but not yet durable; 1 or more.
        wal_file_bytes: a writer begins a new file beyond this many bytes.
        seal_events: unsealed events that make a segment due. They are held in memory, about 1.5 KiB each, 4 once a search looks at them.
        merge_events: rows that segments are merged up to, a day's at most; 0 leaves them as they were sealed.
        seal_seconds: age of the oldest unsealed event that makes a segment due.
        checkpoint_seconds: shortest time between two checkpoints while events arrive.
        heartbeat_seconds: longest time between two checkpoints, so that a trail that was cut off looks stale.
        mirror: file outside the data directory that holds the last checkpoint too; none when None.
        origin: name of the log, a URL without scheme; None makes `jwtrail.local/<random>` when the key is made.
            An existing key keeps its name.
        retention: how long nothing may be removed: `kr-1y`, `kr-2y`, `pci-12m`, `hipaa-6y`, `days-N`; empty for no
            such period.
        prune_after: how long the daemon keeps events, as `retention` says it and not shorter than that; older segments it
            removes by itself, once an hour. Empty: nothing is ever removed by itself.
        witness_url: a C2SP witness that cosigns the checkpoints, the part before `/add-checkpoint`; none when empty.
        witness_key: its key, as it publishes it.
        witness_seconds: time between two requests to it.
    """

    queue_size: int = 10_000
    batch_ms: int = 50
    batch_events: int = 256
    wal_file_bytes: int = 64 * 1024 * 1024
    seal_events: int = 16_384
    merge_events: int = 1_048_576
    seal_seconds: int = 600
    checkpoint_seconds: int = 1
    heartbeat_seconds: int = 3600
    mirror: Path | None = None
    origin: str | None = None
    retention: str = ""
    prune_after: str = ""
    witness_url: str = ""
    witness_key: str = ""
    witness_seconds: int = 300

    def __post_init__(self) -> None:
        must, keep = Retention.parse(self.retention), Retention.parse(self.prune_after, "trail.prune_after")
        if self.prune_after and keep.days < must.days:
            raise ConfigError(
                f"{keep.name} is shorter than {must.name}, which must be kept", where="trail.prune_after"
            )
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(f"must be at least {least}", where=f"trail.{name}")


_LEAST = {
    "queue_size": 1,
    "batch_ms": 0,
    "batch_events": 1,
    "wal_file_bytes": 4096,
    "seal_events": 1,
    "merge_events": 0,
    "seal_seconds": 1,
    "checkpoint_seconds": 0,
    "heartbeat_seconds": 1,
    "witness_seconds": 1,
}
