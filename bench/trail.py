"""From an event to a signed, sealed, verified trail. All on the machine's cores; CPU seconds are of all threads."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jwtrail import clock
from jwtrail.ecs import Event, encode_parts, event_for
from jwtrail.trail import fsck
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.merging import merge
from jwtrail.trail.recompute import Engine
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

SEAL_EVENTS = 16_384
"""As a daemon does by default."""


def lean(number: int) -> Event:
    """An access as other logs have it, about 600 bytes as JSON; 2000 people, each with one address and one token."""
    user = number % 2000
    return event_for(
        "http-request",
        http_request_method="GET",
        http_route="/orders/{order_id}",
        http_response_status_code=200,
        url_path=f"/orders/{number % 5000}",
        source_ip=f"203.0.{user // 250}.{user % 250}",
        user_id=f"u{user}",
        user_agent_original="Mozilla/5.0 (X11) Firefox/141.0",
        jwt_jti=f"01a20975-{user:04x}-7978-97b6-07899150d0db",
        event_duration=1_000_000 + number,
        service_name="shop",
    )


def access(number: int) -> Event:
    """An access with all that the middleware knows, about 900 bytes as JSON."""
    return event_for(
        "http-request",
        http_request_method="GET",
        http_route="/orders/{order_id}",
        http_response_status_code=200,
        http_response_bytes=512 + number % 4000,
        url_path=f"/orders/{number % 5000}",
        url_scheme="https",
        url_domain="shop.example",
        source_ip=f"203.0.113.{number % 250}",
        user_id=f"u{number % 2000}",
        user_agent_original="Mozilla/5.0 (X11; Linux x86_64) Firefox/141.0",
        jwt_jti=f"01a20975-{number % 65536:04x}-7978-97b6-07899150d0db",
        jwt_scope=("orders:read", "orders:write"),
        jwt_kind="access",
        jwtrail_object_id=str(number % 5000),
        jwtrail_object_type="orders",
        service_name="shop",
        event_duration=1_000_000 + number,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )


def run(calls: int) -> None:
    for make in (lean, access):
        _whole_way(make, calls * 50)


def _whole_way(make: Callable[[int], Event], count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        layout.create()
        settings = TrailSettings(queue_size=count + 10, seal_events=SEAL_EVENTS, merge_events=0)
        writer = TrailWriter(layout, settings)
        events = [make(number) for number in range(count)]
        print(f"\ntrail, {count:,} events of {sum(map(len, encode_parts(events[0])))} bytes")
        began = time.perf_counter()
        for event in events:
            writer.put(event)
        print(f"  put                               {(time.perf_counter() - began) / count * 1e6:10.2f} µs")
        writer.close(timeout=120)
        print(f"  put to disk                       {count / (time.perf_counter() - began):10,.0f} events/s")
        del events
        _keep(layout, settings, count)
        began = time.perf_counter()
        report = fsck.verify(layout.root)
        print(f"  audited (fsck)                    {count / (time.perf_counter() - began):10,.0f} events/s")
        assert report.ok, report.findings


def _keep(layout: Layout, settings: TrailSettings, count: int) -> None:
    with Keeper(layout, settings) as keeper:
        began, cpu = time.perf_counter(), time.process_time()
        while keeper.step(clock.now_us()):
            pass
        keeper.seal(clock.now_us())
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        size = sum(info.bytes for info in keeper.segments)
        print(
            f"  sequenced, signed, sealed         {count / took:10,.0f} events/s, {cpu / count * 1e6:.1f} µs CPU each"
        )
        print(f"  segments                          {size / count:10.1f} bytes an event")
        run = keeper.segments
    if len(run) > 1:
        began = time.perf_counter()
        with Engine(threads=1) as engine:
            made = merge(layout, run, engine)
        took = time.perf_counter() - began
        print(f"  merged into one                   {made.rows / took:10,.0f} events/s on one core")
        print(f"  merged                            {made.bytes / made.rows:10.1f} bytes an event")
        (layout.segments / made.file).unlink()
