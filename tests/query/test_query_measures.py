"""Field statistics, roll-ups and the limits of a run, against plain Python over the same events."""

import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from query_trail import Trail, numbered

from jwtrail.ecs import Event, event_for
from jwtrail.errors import QueryError
from jwtrail.query import LocalStore, Run, SearchRequest, running
from jwtrail.query.engine import COUNTS, Engine
from jwtrail.query.local import MAX_TOP
from waiting import LONG_S

START = 1_763_916_415_000_000


def made(number: int) -> Event:
    return event_for(
        "http-request",
        at_us=START + number * 1_000_000,
        user_id=f"u{number % 4}" if number % 7 else None,
        source_ip=f"10.0.0.{number % 5}",
        jwt_jti=f"t{number % 9}",
        user_roles=("reader", "admin")[: number % 3],
        event_duration=number * number,
        event_outcome="failure" if number % 3 == 0 else "success",
        url_path=f"/orders/{number % 11}",
        jwt_claims={"tenant": f"c{number % 2}"},
    )


EVENTS = [made(number) for number in range(60)]


@pytest.fixture(params=["sealed", "mixed", "loose"])
def store(request, tmp_path: Path):
    """The same events in segments, half in them, or in none."""
    trail = Trail(tmp_path)
    known = numbered(EVENTS)
    sealed = {"sealed": 60, "mixed": 30, "loose": 0}[request.param]
    for first in range(0, sealed, 15):
        trail.seal(known[first : first + 15])
    trail.loose = list(known[sealed:])
    opened = LocalStore(trail, now=lambda: START)
    yield opened
    opened.close()


def test_statistics_of_a_number(store: LocalStore) -> None:
    found = store.stats("event.duration", SearchRequest())
    durations = [event.event_duration for event in EVENTS]
    assert (found.count, found.missing, found.distinct, found.exact) == (60, 0, 60, True)
    assert (found.low, found.high, found.mean) == (0, 59 * 59, statistics.fmean(durations))
    assert dict(found.percentiles)[50.0] == statistics.median(durations)


def test_statistics_of_texts_lists_leaves_and_dates(store: LocalStore) -> None:
    users = store.stats("user.id", SearchRequest())
    assert (users.count, users.missing, users.distinct) == (51, 9, 4)
    assert (users.low, users.high, users.mean, users.percentiles) == ("u0", "u3", None, ())
    roles = store.stats("user.roles", SearchRequest())
    assert (roles.count, roles.missing, roles.distinct) == (60, 20, 2)
    assert store.stats("jwt.claims.tenant", SearchRequest()).distinct == 2
    assert store.stats("@timestamp", SearchRequest()).low == EVENTS[0].timestamp
    assert store.stats("source.ip", SearchRequest()).low is None


def test_statistics_of_what_fits_and_of_nothing(store: LocalStore) -> None:
    assert store.stats("event.duration", SearchRequest("user.id: u1")).count == 13
    nothing = store.stats("event.duration", SearchRequest("user.id: nobody"))
    assert (nothing.count, nothing.missing, nothing.low, nothing.percentiles) == (0, 0, None, ())
    with pytest.raises(QueryError, match="no field"):
        store.stats("user.idd", SearchRequest())


@pytest.mark.parametrize(
    "field", ["user.id", "user.roles", "jwt.claims.tenant", "event.duration", "jwt.client_id"]
)
def test_top_values_are_those_of_a_plain_count(store: LocalStore, field: str) -> None:
    found = store.top(field, SearchRequest(), 3)
    counts: Counter = Counter()
    for event in EVENTS:
        value = {
            "user.id": event.user_id,
            "user.roles": event.user_roles or None,
            "jwt.claims.tenant": (event.jwt_claims or {}).get("tenant"),
            "event.duration": event.event_duration,
            "jwt.client_id": None,
        }[field]
        counts.update(value if isinstance(value, tuple) else [value])
    missing = counts.pop(None, 0)
    best = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    assert (found.field, found.values, found.missing) == (field, tuple(best[:3]), missing)
    assert found.other == sum(count for _, count in best[3:])


def test_entities(store: LocalStore) -> None:
    found = store.entities("address", SearchRequest(), 3)
    counts = Counter(event.source_ip for event in EVENTS)
    assert [one.key for one in found] == [
        ip for ip, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    ]
    first = found[0]
    mine = [event for event in EVENTS if event.source_ip == first.key]
    assert first.events == len(mine)
    assert first.failures == sum(event.event_outcome == "failure" for event in mine)
    assert first.users == len({event.user_id for event in mine} - {None})
    assert (first.addresses, first.tokens) == (1, len({event.jwt_jti for event in mine}))
    assert first.paths == len({event.url_path for event in mine})
    assert first.first_us == START + min(EVENTS.index(event) for event in mine) * 1_000_000
    assert store.entities("client", SearchRequest()) == ()
    with pytest.raises(QueryError, match="entities are not between"):
        store.entities("user", SearchRequest(), MAX_TOP + 1)


def test_entities_by_failures(store: LocalStore) -> None:
    found = store.entities("token", SearchRequest(), 9, by_failures=True)
    failed = Counter(event.jwt_jti for event in EVENTS if event.event_outcome == "failure")
    assert [(one.key, one.failures) for one in found][:3] == sorted(
        failed.items(), key=lambda pair: (-pair[1], pair[0])
    )[:3]


SLOW = "SELECT count(*) FROM range(1000000000) a, range(100) b WHERE a.range % 7 = b.range"


def test_a_run_ends_when_its_time_is_over(tmp_path: Path) -> None:
    engine = Engine(COUNTS, tmp_path)
    with running(Run(0.2)), pytest.raises(QueryError, match=r"took more than 0\.2 s"):
        engine.rows(SLOW)
    with running(Run(0)), pytest.raises(QueryError, match="took more than"):
        engine.rows("SELECT 1")
    assert engine.rows("SELECT 1") == [(1,)]
    engine.close()


def test_a_run_can_be_cancelled_from_another_thread(tmp_path: Path) -> None:
    engine, run = Engine(COUNTS, tmp_path), Run()
    timer = threading.Timer(0.2, run.cancel)
    timer.start()
    with running(run), pytest.raises(QueryError, match="cancelled"):
        engine.rows(SLOW)
    with running(run), pytest.raises(QueryError, match="cancelled"):
        engine.rows("SELECT 1")
    engine.close()


def test_ctrl_c_ends_a_query_as_it_ends_anything(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from jwtrail.query.engine import COUNTS, Engine\n"
        "engine = Engine(COUNTS, Path(sys.argv[1]))\n"
        "try: print('ready', flush=True); engine.rows(sys.argv[2])\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), SLOW], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            assert process.communicate(timeout=LONG_S)[0] == "interrupted\n"
        finally:
            process.kill()
