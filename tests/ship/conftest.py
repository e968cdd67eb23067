"""A trail of some events; tests that only read it share it."""

import sys
from pathlib import Path

import pytest
from ship_worlds import recorded

from jwtrail.ship import delivery, pace
from jwtrail.trail.layout import Layout

sys.path += [str(Path(__file__).parents[1] / room) for room in ("engines", "predicate", "kql")]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(tmp_path_factory.mktemp("shared") / "data")
    recorded(made, 400)
    recorded(made, 100, seal=False)
    return made


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are counted in real time; what is tested here does not depend on their length."""
    monkeypatch.setattr(pace, "FIRST_S", 0.0005)
    monkeypatch.setattr(pace, "LONGEST_S", 0.001)
    assert delivery.Pause is pace.Pause
