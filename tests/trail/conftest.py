"""A small trail, and hands to fill and drive it."""

import os
import shutil
from concurrent.futures import wait

import pytest

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter
from waiting import one_day

NOW = 1_800_000_000_000_000


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "data")


@pytest.fixture(scope="module")
def of_one_day():
    """For segments that are to be merged: those of two days are not."""
    with one_day():
        yield


@pytest.fixture
def make_event():
    def make(number, **fields):
        return event_for(
            "http-request",
            **{
                "http_request_method": "GET",
                "http_route": "/orders/{id}",
                "http_response_status_code": 200,
                "url_path": f"/orders/{number}",
                "user_id": f"u-{number}",
                "source_ip": "192.0.2.7",
                "related_ip": ("192.0.2.7",),
                "event_duration": 1000 + number,
            }
            | fields,
        )

    return make


@pytest.fixture
def fill(layout, make_event):
    """Write events by a writer of their own, closed in order."""

    def write(count, *, start=0, close=True):
        writer = TrailWriter(layout)
        for number in range(start, start + count - 1):
            writer.put(make_event(number))
        writer.put(make_event(start + count - 1), "sync").result(60)
        if close:
            writer.close()
        return writer

    return write


@pytest.fixture
def drain():
    """Step a keeper until nothing is left."""

    def run(keeper, now=None):
        events = []
        while (got := keeper.step(now or clock.now_us())) or keeper.sealing:
            events += got
            if keeper.sealing:
                wait([keeper._sealing.result])
        return events

    return run


@pytest.fixture
def sealed(layout, fill, drain):
    """A trail with two segments of 300 and about 200 events, and 100 events behind them."""
    fill(298)  # and its two notes
    with Keeper(layout, TrailSettings(seal_events=300)) as keeper:
        drain(keeper)
    fill(198, start=300)
    with Keeper(layout, TrailSettings(seal_events=200)) as keeper:
        drain(keeper)
    fill(98, start=600)
    with Keeper(layout) as keeper:
        drain(keeper)
    return layout


@pytest.fixture
def root_only():
    tools = ("mount", "umount", "losetup", "mkfs.ext4")
    if os.geteuid() == 0 and all(map(shutil.which, tools)):
        return
    if config.is_ci():
        pytest.fail(f"CI runs as root and has {tools}")
    pytest.skip(f"needs root and {tools}")
