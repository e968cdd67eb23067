"""Following an engine: gaps are waited for, then given up; what is there twice comes once; rules are asked for widely."""

import pytest

from jwtrail.ecs import Event
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.ir import And, Anything, Equals, Not, Or, Regex
from jwtrail.runtime import remotefollow
from jwtrail.runtime.remotefollow import RemoteFollower, widened


class Documents:
    """What an engine shows."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def behind(self, sequence: int, limit: int) -> list[Event]:
        return [
            Event(timestamp="2026-11-23T10:00:00.000000Z", event_id=str(one), event_sequence=one)
            for one in sorted(self.shown)
            if one >= sequence
        ][:limit]


def read(follower: RemoteFollower) -> list[int | None]:
    return [event.event_sequence for event in follower.read()]


def test_in_order_whatever_becomes_visible_first() -> None:
    there = Documents()
    follower = RemoteFollower(there)
    there.shown = [0, 1, 4, 5]
    assert read(follower) == [0, 1]
    assert read(follower) == []
    there.shown += [2]
    assert read(follower) == [2]
    there.shown += [3, 3, 4]  # doubled there
    assert read(follower) == [3, 4, 5]
    assert follower.skipped == 0


def test_what_was_refused_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1]
    monkeypatch.setattr(remotefollow.clock, "monotonic_ns", lambda: now[0])
    there = Documents()
    there.shown = [0, 3, 4]
    follower = RemoteFollower(there)
    assert read(follower) == [0]
    assert read(follower) == []
    now[0] += int(remotefollow.GAP_S * 1e9) - 1
    assert read(follower) == []
    now[0] += 2
    assert read(follower) == [3, 4]
    assert (follower.position, follower.skipped) == (5, 2)


def test_what_an_engine_cannot_say_is_asked_for_more_widely() -> None:
    plain, hard = Equals(field="user.id", value="a"), Regex(field="user.id", pattern="^a+$")
    assert widened(plain) is plain
    assert widened(hard) == Anything()
    assert widened(Not(item=hard)) == Anything()
    assert widened(And(items=(plain, hard))) == And(items=(plain, Anything()))
    assert to_dsl(widened(Or(items=(And(items=(plain, hard)), plain))))
