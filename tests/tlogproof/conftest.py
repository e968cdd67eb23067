"""Logs of an exact size."""

import itertools
import shutil

import pytest

from jwtrail import clock
from jwtrail.ecs import event_for
from jwtrail.trail.journal import Journal
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings


@pytest.fixture
def log_of(tmp_path):
    """Make a log of so many events, sealed and not; `more` adds to the one made last, `keys` signs with these."""
    numbers = itertools.count()
    made = []

    def make(size, *, more=False, keys=None, seal_events=200):
        layout = made[-1] if more else Layout(tmp_path / f"log{next(numbers)}")
        made.append(layout)
        layout.create()
        if keys is not None:
            shutil.copytree(keys, layout.keys, dirs_exist_ok=True)
        journal = Journal(layout, 1 << 26)
        journal.append([event_for("login", user_id=f"u-{number}") for number in range(size)])
        journal.close()
        with Keeper(layout, TrailSettings(seal_events=seal_events)) as keeper:
            while keeper.step(clock.now_us()):
                pass
        return layout

    return make
