"""Real engines: documents are the events, each once, through deaths of the shipper and of the engine."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import elasticsearch_server
import opensearch_server
import pytest
from engine_server import Client, Server
from ship_worlds import recorded

from jwtrail import config
from jwtrail.elastic.client import connect
from jwtrail.elastic.provision import provision
from jwtrail.elastic.template import index_body, index_template
from jwtrail.ship.home import Home
from jwtrail.trail.layout import Layout
from jwtrail.trail.publish import copy_log
from jwtrail.trail.reader import TrailReader

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

KILLS = 20
ENGINE_KILLS = 3


@pytest.fixture(scope="module", params=["opensearch", "elasticsearch"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    module = {"opensearch": opensearch_server, "elasticsearch": elasticsearch_server}[request.param]
    try:
        with module.serving() as running:
            yield running
    except opensearch_server.Unavailable as missing:
        if config.is_ci():
            raise
        pytest.skip(str(missing))


@pytest.fixture
def namespace(server: Server, request: pytest.FixtureRequest) -> str:
    name = request.node.originalname.removeprefix("test_").replace("_", ".")
    with connect(server.url) as engine:
        provision(engine, namespace=name)
    return name


def environment(namespace: str, **more: str) -> dict[str, str]:
    return config.child_env({"JWTRAIL_ENGINE__NAMESPACE": namespace, **more})


def command(server: Server, layout: Layout, *more: str) -> list[str]:
    return [sys.executable, "-m", "jwtrail", "ship", server.url, "--data", str(layout.root), *more]


def shipped(server: Server, layout: Layout, namespace: str, *more: str) -> str:
    done = subprocess.run(
        command(server, layout, "--once", *more),
        env=environment(namespace),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def sequences(client: Client, namespace: str) -> list[int]:
    """`event.sequence` of every document, in order."""
    pattern = f"/logs-jwtrail.*-{namespace}"
    client.call("POST", f"{pattern}/_refresh")
    found: list[int] = []
    after: dict = {}
    while True:
        body = {"size": 5000, "sort": ["event.sequence"], "_source": False, **after}
        hits = client.call("POST", f"{pattern}/_search?expand_wildcards=all", body)["hits"]["hits"]
        found += [hit["sort"][0] for hit in hits]
        if not hits:
            return found
        after = {"search_after": [found[-1]]}


def same(server: Server, layout: Layout, namespace: str, size: int) -> None:
    """Documents = events, 0 doubled. The count sees also what the pages above would pass over: equals at their edges."""
    assert sequences(server.client, namespace) == list(range(size))
    assert server.client.call("GET", f"/logs-jwtrail.*-{namespace}/_count")["count"] == size


def rollover(server: Server, namespace: str) -> None:
    server.client.call("POST", f"/logs-jwtrail.access-{namespace}/_rollover")


@contextmanager
def running(server: Server, layout: Layout, namespace: str, **more: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        command(server, layout), env=environment(namespace, **more), stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_first_all_then_what_is_new(server: Server, namespace: str, layout: Layout) -> None:
    size = recorded(layout, 2_000)
    assert f"Shipped {size:,} events" in shipped(server, layout, namespace)
    size = recorded(layout, 10, seal=False, event_outcome="failure")
    assert f"Shipped {size - 2_002:,} events" in shipped(server, layout, namespace)
    same(server, layout, namespace, size)


def test_killed_shipper(server: Server, namespace: str, layout: Layout) -> None:
    size = recorded(layout, 25_000)
    home = Home(layout.ship, "killed")
    random.seed(20)
    for number in range(KILLS):
        with running(server, layout, namespace, JWTRAIL_SHIP__MAX_BATCH="100") as process:
            before = reached(home)
            wait_until(lambda: reached(home) > before or process.poll() is not None)  # noqa: B023
            early = reached(home) < size * (number + 1) // (
                KILLS + 1
            )  # else a quick engine is done before the last kill
            time.sleep(random.random() * 0.2 if early else 0)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        if number % 7 == 3:
            rollover(server, namespace)
    assert 0 < reached(home) < size, "nothing was killed in the middle"
    shipped(server, layout, namespace)
    same(server, layout, namespace, size)


def reached(home: Home) -> int:
    return max(
        (
            cursor.next
            for one in home.path.parent.glob("*")
            if (cursor := Home(one.parent, one.name).cursor())
        ),
        default=0,
    )


def wait_until(true, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_killed_engine(server: Server, namespace: str, layout: Layout) -> None:
    size = recorded(layout, 20_000)
    home = Home(layout.ship, "killed")
    with running(server, layout, namespace, JWTRAIL_SHIP__MAX_BATCH="500") as process:
        for number in range(ENGINE_KILLS):
            before = reached(home)
            wait_until(lambda: reached(home) >= min(size, before + 1000))  # noqa: B023
            server.kill()
            time.sleep(0.5)
            server.start()
            if number == 1:
                rollover(server, namespace)
        wait_until(lambda: reached(home) == size, 300)
        assert process.poll() is None
    same(server, layout, namespace, size)


def test_what_does_not_fit_waits_aside(server: Server, layout: Layout) -> None:
    """A template older than the events lacks a field: those that have it wait aside with the cause, the others arrive."""
    namespace = "misfits"
    body = index_body(server.what.name, wildcard=False, words=False)
    path = body["mappings"]["properties"].pop("url.path")
    template = index_template(body) | {"index_patterns": [f"logs-jwtrail.*-{namespace}"], "priority": 900}
    server.client.call("PUT", "/_index_template/misfits", template)
    recorded(layout, 20, url_path=None)
    size = recorded(layout, 5)
    assert "5 refused" in shipped(server, layout, namespace)
    assert len(sequences(server.client, namespace)) == size - 5
    status = run_status(layout)
    assert (status["refused"], status["behind"]) == (5, 0)
    assert {one["cause"].split(":")[0] for one in status["dead"]} == {"400 strict_dynamic_mapping_exception"}
    stream = f"logs-jwtrail.access-{namespace}"
    server.client.call("PUT", f"/{stream}/_mapping", {"properties": {"url.path": path}})
    done = subprocess.run(
        [sys.executable, "-m", "jwtrail", "ship", "retry", server.url, "--data", str(layout.root)],
        env=environment(namespace),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "5 documents were taken; 0 are still refused" in done.stderr
    same(server, layout, namespace, size)
    assert run_status(layout)["refused"] == 0


def run_status(layout: Layout) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "jwtrail", "ship", "status", "--dead", "--data", str(layout.root)],
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def hit_of(client: Client, namespace: str, sequence: int) -> dict:
    body = {"query": {"term": {"event.sequence": sequence}}, "seq_no_primary_term": True}
    return client.call("POST", f"/logs-jwtrail.*-{namespace}/_search", body)["hits"]["hits"][0]


def tamper(client: Client, hit: dict, **changes: object) -> None:
    """Put another content in the place of a document, as somebody with the engine's rights can."""
    fresh = f"if_seq_no={hit['_seq_no']}&if_primary_term={hit['_primary_term']}"
    doc = {name: value for name, value in (hit["_source"] | changes).items() if value is not None}
    client.call("PUT", f"/{hit['_index']}/_doc/{hit['_id']}?refresh=true&{fresh}", doc)


def test_tampering_is_named(server: Server, namespace: str, layout: Layout) -> None:
    size = recorded(layout, 3_000)
    shipped(server, layout, namespace)
    client, stream = server.client, f"logs-jwtrail.access-{namespace}"
    client.call("POST", f"/{stream}/_refresh")
    assert verified(server, layout, namespace)["good"] == size
    alone = ("--checkpoint", str(layout.checkpoint), "--vkey", str(TrailReader(layout).vkey()))
    log = layout.root.with_name("log")
    copy_log(TrailReader(layout), log)
    layout = Layout(layout.root.with_name("nowhere"))  # of the trail, the checkpoint is enough
    found = verified(server, layout, namespace, *alone)
    assert (found["size"], found["signed"], found["good"]) == (size, True, size)
    layout = Layout(layout.root.with_name("data"))
    hits = {number: hit_of(client, namespace, number) for number in (100, 200, 300, 400, 500, 600, 700)}
    tamper(client, hits[100], **{"http.response.status_code": 404})
    tamper(client, hits[200], **{"user.id": "somebody-else"})
    tamper(client, hits[300], **{"event.sequence": 2_500})
    tamper(client, hits[400], **{"jwtrail.salt": "00" * 16})
    client.call("DELETE", f"/{hits[500]['_index']}/_doc/{hits[500]['_id']}?refresh=true")
    rollover(server, namespace)
    again = f'{{"create":{{"_id":"{hits[600]["_id"]}"}}}}\n{json.dumps(hits[600]["_source"])}\n'
    made_up = f'{{"create":{{"_id":"made-up"}}}}\n{json.dumps(hits[700]["_source"] | {"user.id": "u"})}\n'
    assert not client.call("POST", f"/{stream}/_bulk?refresh=true", (again + made_up).encode())["errors"]
    found = verified(server, layout, namespace)
    assert found["counts"] == {"altered": 4, "missing": 1, "doubled": 1, "foreign": 2}
    told = {(one["kind"], one["sequence"]): one["what"] for one in found["findings"]}
    assert told == {
        ("altered", 100): "its public fields differ",
        ("altered", 200): "its personal fields differ",
        ("altered", 300): "its event.sequence says 2500",
        ("foreign", 2_500): "it is not the event with this index",
        ("altered", 400): "its personal fields differ",
        ("missing", 500): "no document has this event",
        ("doubled", 600): told["doubled", 600],
        ("foreign", 700): "it is not the event with this index",
    }
    assert verified(server, layout, namespace, "--first", "600", "--last", "600")["counts"] == {"doubled": 1}
    found = verified(server, layout, namespace, *alone)
    assert found["signed"] is None
    by_log = verified(server, layout, namespace, "--log", str(log), *alone[2:])
    assert by_log["counts"] == {"altered": 4, "missing": 1, "doubled": 1, "foreign": 2}
    assert verified(server, layout, namespace, "--log", str(log), *alone[2:], "--first", "1000")[
        "counts"
    ] == {"foreign": 1}
    told = {(one["kind"], one["sequence"]): one["what"] for one in found["findings"]}
    assert told == {
        ("altered", 100): "its event.hash is not that of its content",
        ("altered", 200): "its event.hash is not that of its content",
        ("missing", 300): "no document has this index",
        ("altered", 400): "its event.hash is not that of its content",
        ("missing", 500): "no document has this index",
        ("doubled", 600): told["doubled", 600],
        ("doubled", 700): told["doubled", 700],
        ("doubled", 2_500): told["doubled", 2_500],
    }


def verified(server: Server, layout: Layout, namespace: str, *more: str) -> dict:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "jwtrail",
            "trail",
            "verify",
            "--remote",
            server.url,
            "--json",
            "--data",
            str(layout.root),
            *more,
        ],
        env=environment(namespace),
        capture_output=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 5), done.stderr
    return found


def test_an_erased_person_leaves_the_engine(server: Server, namespace: str, layout: Layout) -> None:
    size = recorded(layout, 500)
    shipped(server, layout, namespace)
    pattern = f"/logs-jwtrail.*-{namespace}"
    theirs = {"query": {"term": {"user.id": "u-7"}}}
    server.client.call("POST", f"{pattern}/_refresh")
    assert server.client.call("POST", f"{pattern}/_count", theirs)["count"] == 10
    rollover(server, namespace)
    size = recorded(layout, 50, user_id="u-7")  # some are not there yet when the person goes
    erase = [
        sys.executable,
        "-m",
        "jwtrail",
        "subject",
        "erase",
        "u-7",
        "--data",
        str(layout.root),
        "--reason",
        "T-1",
        "--yes",
    ]
    done = subprocess.run(erase, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert run_status(layout)["to_forget"] == 60
    shipped(server, layout, namespace)
    assert run_status(layout)["to_forget"] == 0
    server.client.call("POST", f"{pattern}/_refresh")
    assert server.client.call("POST", f"{pattern}/_count", theirs)["count"] == 0
    hits = server.client.call("POST", f"{pattern}/_search", {"size": 1_000})["hits"]["hits"]
    assert 'u-7"' not in json.dumps(hits)
    size = run_status(layout)["size"]
    same(server, layout, namespace, size)
    assert verified(server, layout, namespace)["good"] == size


def test_an_engine_that_is_not_prepared_is_refused(server: Server, layout: Layout) -> None:
    """Without our template the engine would guess types; and the hint says what to do."""
    recorded(layout, 3)
    bare = {"index_patterns": ["logs-jwtrail.*-nowhere"], "priority": 950, "template": {}}
    server.client.call("PUT", "/_index_template/bare", bare)
    done = subprocess.run(
        command(server, layout, "--once"),
        env=environment("nowhere"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "jwtrail provision" in done.stderr
