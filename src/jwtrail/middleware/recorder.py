"""The one place where the request path makes events: adds who serves, and hands them to the writer."""

import os
from concurrent.futures import Future
from typing import Any, Literal, Protocol

from msgspec import Struct

from jwtrail.ecs import Event, event_for
from jwtrail.middleware.exchange import Exchange, current, situation_of

__all__ = ["Durability", "Recorder", "Service", "Writer"]

Durability = Literal["sync", "batch", "memory"]


class Writer(Protocol):
    """What takes the events: `trail.writer.TrailWriter`."""

    def put(self, event: Event, durability: Durability = "batch") -> Future[None] | None:
        """Take an event; for `sync` a future that is done when it is on disk."""
        ...


class Service(Struct, frozen=True):
    """Who serves: the same in every event of a process."""

    name: str
    version: str
    environment: str
    host: str

    def fields(self) -> dict[str, Any]:
        """As attributes of `Event`."""
        return {
            "service_name": self.name,
            "service_version": self.version or None,
            "service_environment": self.environment or None,
            "host_name": self.host or None,
        }


class Recorder:
    """Records events of this process.

    Attributes:
        service: attributes that all of them have.
    """

    def __init__(self, writer: Writer, service: Service) -> None:
        self._writer = writer
        self.service = service.fields()

    def put(self, event: Event, durability: Durability) -> Future[None] | None:
        """Hand an event over; see `Writer.put`."""
        return self._writer.put(event, durability)

    def write(
        self, action: str, durability: Durability, *, flags: set[str] | None = None, **fields: Any
    ) -> Future[None] | None:
        """Make the event and hand it over; see `Writer.put` for what comes back."""
        event = event_for(
            action,
            flags=flags,
            jwtrail_durability=durability,
            process_pid=os.getpid(),  # asked each time: servers fork after import
            **self.service,
            **fields,
        )
        return self.put(event, durability)

    def record(self, action: str, **fields: Any) -> None:
        """Record something that is not a request itself: sign-in, token life cycle, the application's own acts.

        Inside a request the answer waits until this event is on disk; outside, the caller waits.
        """
        exchange = current.get()
        situation = _situation(exchange, fields)
        done = self.write(action, "sync", flags=set(), **situation)
        if done is None:
            return
        if exchange is not None:
            exchange.pending.append(done)
        else:
            done.result()


def _situation(exchange: Exchange | None, fields: dict[str, Any]) -> dict[str, Any]:
    """What the caller says wins over what the request shows."""
    return (
        fields
        if exchange is None
        else situation_of(exchange) | {k: v for k, v in fields.items() if v is not None}
    )
