"""Back-fill into a real Elasticsearch: the engine's own ceiling, `jwtrail ship`, and the official client's `parallel_bulk`.

All three send the same documents under the same ids to fresh data streams, in turn, with as many requests at once. CPU is
that of this process: what the sender costs the machine.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from bench.trail import access
from jwtrail import clock
from jwtrail.config import load
from jwtrail.elastic.client import connect
from jwtrail.elastic.provision import provision
from jwtrail.elastic.streams import stream_of
from jwtrail.runtime.shipping import ship_to
from jwtrail.trail.follow import TrailFollower
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

ROUNDS = 3
PARALLEL = 2
TOGETHER = 2_500
"""Documents of one request; larger ones made this engine no faster."""

_names = count()


def run(calls: int) -> None:
    sys.path.append(str(Path(__file__).parents[1] / "tests/engines"))
    from elasticsearch_server import Unavailable, serving

    try:
        with serving() as server, tempfile.TemporaryDirectory() as folder:
            _compare(server.url, server.port, _recorded(Path(folder), calls * 50))
    except Unavailable as missing:
        print(f"\nship: {missing}")


def _recorded(root: Path, wanted: int) -> Layout:
    layout = Layout(root / "data")
    layout.create()
    with Keeper(layout, TrailSettings()) as keeper:
        writer = TrailWriter(layout, TrailSettings(queue_size=wanted + 10))
        for number in range(wanted):
            writer.put(access(number))
        writer.close(timeout=120)
        while keeper.step(clock.now_us()):
            pass
        keeper.seal(clock.now_us())
    return layout


def _compare(url: str, port: int, layout: Layout) -> None:
    follower = TrailFollower(layout)
    documents = []
    while more := follower.read(10_000):
        documents += more
    follower.close()
    contenders: dict[str, Callable[[str], None]] = {
        "ceiling (ready bytes, _bulk)": lambda name: _raw(url, documents, name),
        "jwtrail ship": lambda name: _ours(url, layout, name),
    }
    try:
        import elasticsearch  # noqa: F401
    except ImportError:
        print("  parallel_bulk is left out: the bench group is not installed")
    else:
        contenders["elasticsearch parallel_bulk"] = lambda name: _official(port, documents, name)
    walls: dict[str, list[float]] = {name: [] for name in contenders}
    cpus: dict[str, list[float]] = {name: [] for name in contenders}
    turns = list(contenders.items())
    for number in range(1 + ROUNDS):
        for name, send in turns:
            namespace = f"bench{next(_names)}"
            with connect(url) as engine:
                provision(engine, namespace=namespace)
            wall, cpu = time.perf_counter(), time.process_time()
            send(namespace)
            walls[name].append(time.perf_counter() - wall)
            cpus[name].append(time.process_time() - cpu)
        turns = [*turns[1:], turns[0]]  # nobody always comes after the same
        if not number:  # the engine was cold
            for figures in (*walls.values(), *cpus.values()):
                figures.clear()
    _show(len(documents), walls, cpus)


def _show(many: int, walls: dict[str, list[float]], cpus: dict[str, list[float]]) -> None:
    print(
        f"\nBack-fill of {many:,} events into Elasticsearch, {PARALLEL} requests at once, median of {ROUNDS}"
    )
    ceiling = next(iter(walls.values()))
    for name, times in walls.items():
        part = statistics.median(mine / theirs for mine, theirs in zip(ceiling, times, strict=True))
        cpu = statistics.median(cpus[name]) / many * 1e6
        print(
            f"  {name:<30}{many / statistics.median(times):10,.0f}/s{part:7.2f} of the ceiling{cpu:8.1f} µs CPU an event"
        )


def _raw(url: str, documents: list, namespace: str) -> None:
    """Bodies that are ready before the clock would matter: nothing but sending."""
    path = f"/{stream_of('jwtrail.access', namespace)}/_bulk?filter_path=errors"
    bodies = [
        b"".join(
            b'{"create":{"_id":"%b"}}\n%b\n' % (one.id.encode(), one.body)
            for one in documents[at : at + TOGETHER]
        )
        for at in range(0, len(documents), TOGETHER)
    ]
    with connect(url) as engine, ThreadPoolExecutor(PARALLEL) as pool:
        for answer in pool.map(lambda body: engine.request("POST", path, ndjson=body), bodies):
            assert not answer.json["errors"]


def _ours(url: str, layout: Layout, namespace: str) -> None:
    known = {"data": str(layout.root), "engine.namespace": namespace, "ship.parallel": PARALLEL}
    made = load(known, environ={}).settings
    ship_to(url, made, name=namespace, work=lambda shipper: shipper.run(until_empty=True))


def _official(port: int, documents: list, namespace: str) -> None:
    from elasticsearch import Elasticsearch
    from elasticsearch.helpers import parallel_bulk

    stream = stream_of("jwtrail.access", namespace)
    actions = (
        {"_op_type": "create", "_index": stream, "_id": one.id, "_source": json.loads(one.body)}
        for one in documents
    )
    with Elasticsearch(f"http://127.0.0.1:{port}", request_timeout=120) as client:
        for good, what in parallel_bulk(client, actions, thread_count=PARALLEL, chunk_size=TOGETHER):
            assert good, what
