"""From an event to a signed, sealed, verified trail."""

import tempfile
import time
from pathlib import Path

from jwtrail import clock
from jwtrail.ecs import Event, event_for
from jwtrail.trail import fsck
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter


def access(number: int) -> Event:
    """A realistic access event, about 600 bytes as JSON."""
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
    count = calls * 20
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        layout.create()
        settings = TrailSettings(queue_size=count + 10, seal_events=max(1000, count // 4))
        writer = TrailWriter(layout, settings)
        events = [access(number) for number in range(count)]
        began = time.perf_counter()
        for event in events:
            writer.put(event)
        queued = time.perf_counter() - began
        writer.close(timeout=120)
        written = time.perf_counter() - began
        keeper = Keeper(layout, settings)
        began = time.perf_counter()
        while keeper.step(clock.now_us()):
            pass
        keeper.close()
        kept = time.perf_counter() - began
        began = time.perf_counter()
        report = fsck.verify(layout.root)
        audited = time.perf_counter() - began
        assert report.ok, report.findings
        size = sum(path.stat().st_size for path in layout.segments.iterdir())
        rows = sum(info.rows for info in keeper.segments) or 1
        print(f"\ntrail, {count:,} events")
        print(f"  put                               {queued / count * 1e6:10.2f} µs")
        print(f"  put to disk                       {count / written:10,.0f} events/s")
        print(f"  sequenced, signed, sealed         {count / kept:10,.0f} events/s")
        print(f"  audited (fsck)                    {count / audited:10,.0f} events/s")
        print(f"  segment                           {size / rows:10.1f} bytes an event")
