"""Whoever follows gets every event once, in order, as what the keeper itself hands over, whatever is sealed meanwhile."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtrail.ecs import decode_document, document, event_for
from jwtrail.errors import CorruptionError
from jwtrail.trail.documents import read_documents
from jwtrail.trail.follow import TrailFollower
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

NOW = 1_800_000_000_000_000


def without_proof(body: bytes) -> dict:
    doc = json.loads(body)
    assert len(doc.pop("jwtrail.salt")) == 32
    return doc


@settings(max_examples=12, deadline=None)
@given(steps=st.lists(st.sampled_from(["write", "order", "seal", "read", "reopen"]), max_size=14))
def test_every_event_once_in_order(tmp_path_factory, steps) -> None:
    layout = Layout(tmp_path_factory.mktemp("t") / "data")
    layout.create()
    written, got, known = 0, [], []
    keeper = Keeper(layout, TrailSettings())
    writer = TrailWriter(layout)
    follower = TrailFollower(layout)
    for step in [*steps, "order", "read", "read", "read", "read"]:
        match step:
            case "write":
                for _ in range(3):
                    writer.put(event_for("http-request", user_id=f"u-{written}", labels={"k": "\u00e9\"'"}))
                    written += 1
                writer.put(event_for("login", event_outcome="failure"), "sync").result(60)
                written += 1
            case "order":
                known += keeper.step(NOW)
            case "seal":
                known += keeper.step(NOW)
                keeper.seal(NOW)
            case "read":
                got += follower.read(5)
            case "reopen":
                follower.close()
                follower = TrailFollower(layout, follower.position)
    while more := follower.read(5):
        got += more
    writer.close()
    keeper.close()
    follower.close()
    assert len(known) >= written
    assert [one.sequence for one in got] == list(range(len(known)))
    for one, event in zip(got, known, strict=True):
        assert without_proof(one.body) == msgspec.json.decode(msgspec.json.encode(document(event)))
        assert decode_document(without_proof(one.body)) == msgspec.structs.replace(event, wal=None)
        assert (one.id, one.dataset, one.erased) == (event.event_hash, event.event_dataset, False)


def test_the_same_bytes_from_logs_and_segments(layout, fill) -> None:
    layout.create()
    fill(20)
    with Keeper(layout, TrailSettings()) as keeper:
        keeper.step(NOW)
        from_logs = TrailFollower(layout)
        first = from_logs.read(100)
        keeper.seal(NOW)
    from_logs.close()
    from_segment = TrailFollower(layout)
    second = from_segment.read(100)
    from_segment.close()
    assert [json.loads(one.body) for one in first] == [json.loads(one.body) for one in second]
    assert [one.id for one in first] == [one.id for one in second]
    assert read_documents(layout, [3, 17, 99]) == [second[3], second[17]]


def test_a_line_that_has_an_index_and_is_gone_is_named(layout, fill) -> None:
    layout.create()
    fill(5)
    with Keeper(layout, TrailSettings()) as keeper:
        keeper.step(NOW)
        (writer,) = layout.writers()
        for path in (layout.wal / writer).iterdir():
            path.unlink()
        follower = TrailFollower(layout)
        with pytest.raises(CorruptionError, match="damaged or missing"):
            follower.read(10)
        follower.close()
