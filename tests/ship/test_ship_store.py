"""The same questions to the data directory and to real engines that it was shipped to: the same ids, bars, values, pages."""

import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import elasticsearch_server
import opensearch_server
import pytest
from engine_server import Server, Unavailable
from engine_worlds import QUERIES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jwtrail import clock, config
from jwtrail.detect import Detector, RuleSet
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import document, event_for
from jwtrail.elastic.client import connect
from jwtrail.elastic.provision import provision
from jwtrail.errors import KqlError, PredicateError, QueryError
from jwtrail.query import Page, SearchRequest
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.remote import RemoteStore
from jwtrail.query.store import Store
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.history import replayed
from jwtrail.runtime.remotefollow import RemoteFollower, replayed_there
from jwtrail.runtime.shipping import ship_to
from jwtrail.simulate import Month, Plan
from jwtrail.trail.layout import Layout
from waiting import LONG_S, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

EVENTS = 6_000
NAMESPACE = "store"

WRITTEN = (
    "",
    "event.outcome: failure",
    "not event.outcome: failure",
    "url.path: /orders/* and http.response.status_code >= 400",
    "event.reason: (expired or bad_signature)",
    "source.ip: 10.0.0.0/8",
    "user.id: *1 or user.name: *",
    "message: failed",
    "event.action: log*",
    "jwt.claims.tenant: *",
    "@timestamp > now-365d",
    "admin",
)
NONE = dict.fromkeys(("users", "addresses", "tokens", "paths"), 0)
FIELDS = (
    "event.action",
    "event.outcome",
    "user.id",
    "source.ip",
    "http.response.status_code",
    "event.duration",
    "jwt.known",
)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Some days of a simulated service, through the front door."""
    root = tmp_path_factory.mktemp("trail")
    month = Month(Plan(8, 100, 3, 1))
    with (root / "events.ndjson").open("w") as file:
        for event in deque(month, EVENTS):  # the last ones, as attacks begin after a week
            file.write(json.dumps(document(event)) + "\n")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "jwtrail",
            "import",
            "--format",
            "ecs",
            "--data",
            str(root / "data"),
            str(root / "events.ndjson"),
        ],
        check=True,
        capture_output=True,
    )
    return Layout(root / "data")


@pytest.fixture(scope="module", params=["opensearch", "elasticsearch"])
def stores(request: pytest.FixtureRequest, trail: Layout) -> Iterator[tuple[Store, Store]]:
    module = {"opensearch": opensearch_server, "elasticsearch": elasticsearch_server}[request.param]
    try:
        with module.serving() as server:
            yield from _stores(server, trail)
    except Unavailable as missing:
        if config.is_ci():
            raise
        pytest.skip(str(missing))


def _stores(server: Server, trail: Layout) -> Iterator[tuple[Store, Store]]:
    with connect(server.url) as engine:
        provision(engine, namespace=NAMESPACE)
    made = config.load({"data": str(trail.root), "engine.namespace": NAMESPACE}, environ={}).settings
    ship_to(server.url, made, name=server.what.name, work=lambda shipper: shipper.run(until_empty=True))
    server.client.call("POST", f"/logs-jwtrail.*-{NAMESPACE}/_refresh")
    now = clock.now_us()
    local = LocalStore(TrailFiles(trail), now=lambda: now)
    remote = RemoteStore(connect(server.url), NAMESPACE, now=lambda: now)
    yield local, remote
    local.close()
    remote.close()


def pages(store: Store, request: SearchRequest, most: int = 8) -> list[Page]:
    found = [store.search(request)]
    while found[-1].next and len(found) < most:
        found.append(
            store.search(
                SearchRequest(
                    request.query,
                    request.from_us,
                    request.to_us,
                    request.limit,
                    found[-1].next,
                    request.ascending,
                )
            )
        )
    return found


def alike(stores: tuple[Store, Store], request: SearchRequest) -> bool:
    """Both answer alike; False when the engine refuses the query, which it says by name."""
    local, remote = stores
    try:
        there = pages(remote, request)
    except PredicateError:
        return False
    here = pages(local, request)
    assert [page.events for page in there] == [page.events for page in here]
    assert [bool(page.next) for page in there] == [bool(page.next) for page in here]
    assert remote.count(request) == local.count(request)
    assert remote.histogram(request, 40) == local.histogram(request, 40)
    return True


@pytest.mark.parametrize("query", WRITTEN)
def test_pages_counts_and_bars(stores, query: str) -> None:
    assert alike(stores, SearchRequest(query, limit=100))
    assert alike(stores, SearchRequest(query, limit=70, ascending=True))


def test_a_stretch_of_time(stores) -> None:
    middle = clock.parse_iso(stores[0].search(SearchRequest(limit=1)).events[0].timestamp) - 86_400_000_000
    for request in (
        SearchRequest("", None, middle),
        SearchRequest("", middle, None),
        SearchRequest("", middle, middle + 7_200_000_000),
    ):
        assert alike(stores, request)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=QUERIES, ascending=st.booleans())
def test_any_query(stores, query: str, ascending: bool) -> None:
    try:
        alike(stores, SearchRequest(query, limit=50, ascending=ascending))
    except KqlError:
        return


@pytest.mark.parametrize("query", WRITTEN[:6])
def test_values(stores, query: str) -> None:
    local, remote = stores
    request = SearchRequest(query)
    for field in FIELDS:
        assert remote.top(field, request, 7) == local.top(field, request, 7), field
        there, here = remote.stats(field, request), local.stats(field, request)
        assert [one for one, _ in there.percentiles] == [one for one, _ in here.percentiles]
        assert [one for _, one in there.percentiles] == pytest.approx([one for _, one in here.percentiles])
        assert there.mean == (here.mean if here.mean is None else pytest.approx(here.mean))
        for name in ("count", "missing", "distinct", "exact", "low", "high"):
            assert getattr(there, name) == getattr(here, name), (field, name)
    for kind in ("user", "address", "token", "client"):
        for failures in (False, True):
            there = remote.entities(kind, request, 6, by_failures=failures)
            here = local.entities(kind, request, 6, by_failures=failures)
            # How many different ones there are is nearly exact in an engine: one in some thousand is missed.
            assert [replace(one, **NONE) for one in there] == [replace(one, **NONE) for one in here]
            for ours, theirs in zip(here, there, strict=True):
                for name in NONE:
                    assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=0.002), name


def test_one_and_its_neighbours(stores) -> None:
    local, remote = stores
    event = local.search(SearchRequest("event.action: http-request", limit=5)).events[-1]
    assert remote.get(event.event_id) == local.get(event.event_id) == event
    assert remote.around(event.event_id, 7) == local.around(event.event_id, 7)
    assert remote.get("nobody") is None
    assert remote.around("nobody") == ()


def test_a_cursor_of_one_goes_on_in_the_other(stores) -> None:
    local, remote = stores
    first = local.search(SearchRequest("event.outcome: failure", limit=30))
    request = SearchRequest("event.outcome: failure", limit=30, cursor=first.next)
    assert remote.search(request).events == local.search(request).events


@pytest.mark.parametrize("field", ["message", "@timestamp", "source.geo.location"])
def test_what_an_engine_cannot_count_it_says(stores, field: str) -> None:
    with pytest.raises(QueryError, match=field):
        stores[1].top(field, SearchRequest())


@pytest.fixture(scope="module")
def ruleset() -> RuleSet:
    return configured(config.DetectSettings())


def test_the_past_says_the_same(stores, trail: Layout, ruleset: RuleSet) -> None:
    here = replayed(TrailFiles(trail), ruleset)
    assert len(here.alerts) > 3
    assert replayed_there(stores[1], ruleset).alerts == here.alerts
    at = sorted(alert.at_us for alert in here.alerts)
    bounds = {"from_us": at[1], "to_us": at[-1], "warm_up_us": 3_600_000_000}
    assert (
        replayed_there(stores[1], ruleset, **bounds).alerts
        == replayed(TrailFiles(trail), ruleset, **bounds).alerts
    )


def test_following_says_the_same(stores, trail: Layout, ruleset: RuleSet) -> None:
    follower, detector, alerts = RemoteFollower(stores[1]), Detector(ruleset), []
    while page := follower.read():
        alerts += detector.feed(page)
        detector = Detector(ruleset, detector.snapshot())  # as after a restart
    alerts += detector.advance(stores[1].last_us())
    assert alerts == list(replayed(TrailFiles(trail), ruleset).alerts)
    assert (follower.position, follower.skipped) == (TrailFiles(trail).size, 0)


def test_following_from_the_command_line(stores, ruleset: RuleSet, tmp_path: Path) -> None:
    address = str(stores[1]._engine.address)
    command = [
        sys.executable,
        "-m",
        "jwtrail",
        "detect",
        "--store",
        address,
        "--follow",
        "--data",
        str(tmp_path / "d"),
    ]
    environment = config.child_env({"JWTRAIL_ENGINE__NAMESPACE": NAMESPACE, "PYTHONUNBUFFERED": "1"})
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        time.sleep(3)
        process.terminate()
        more = [json.loads(line)["id"] for line in process.stdout.read().splitlines()]
        assert process.wait(LONG_S) == 0
    everything = [alert.id for alert in Detector(ruleset).feed(stores[1].behind(0, 10_000))]
    assert [first["id"], *more] == everything[: len(more) + 1]


def test_the_command_line(stores, trail: Layout) -> None:
    address = str(stores[1]._engine.address)
    outputs = []
    for where in (["--store", address], ["--data", str(trail.root)]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "jwtrail",
                "search",
                "event.outcome: failure",
                "--from",
                "now-10000d",
                "--limit",
                "20",
                *where,
            ],
            env=config.child_env({"JWTRAIL_ENGINE__NAMESPACE": NAMESPACE}),
            capture_output=True,
            check=True,
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"\n") == 20


def test_one_daemon_ships_and_another_detects_and_answers(stores, tmp_path: Path) -> None:
    """A host with the application ships; a host without any follows the engine, and ends the sign-in by itself."""
    address = str(stores[1]._engine.address)
    with connect(address) as engine:
        provision(engine, namespace="pair")

    def made(name: str, **more: object) -> config.Settings:
        known = {"data": str(tmp_path / name), "engine.namespace": "pair", **more}
        return config.load(known, environ={}, cwd=tmp_path).settings

    shipping = Daemon(made("app", **{"ship.to": [address]}))
    watching = Daemon(made("watch", store=address))
    for daemon in (shipping, watching):
        daemon.start()
    try:
        event = event_for("refresh-reused", event_outcome="failure", jwt_family="fam-1", user_id="u-1")
        shipping.record(event)
        until(lambda: watching.state.revocations(clock.now_us()))
        assert {(one.kind, one.value) for one in watching.state.revocations(clock.now_us())} == {
            ("family", "fam-1")
        }
        assert watching.store.get(event.event_id) is not None
        until(lambda: not any(one.failure for one in shipping.shipping.progress().values()))
        (progress,) = shipping.shipping.progress().values()
        assert progress.refused == 0
    finally:
        for daemon in (watching, shipping):
            daemon.close()
