"""A document gives the entry of its event, and no other document does."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ship_worlds import recorded

from jwtrail.ship.shipped import entry_of_document
from jwtrail.trail.follow import TrailFollower
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader

DERIVED = ("event.hash", "event.ingested", "event.sequence", "jwtrail.writer", "jwtrail.writer_seq")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict], list[bytes]]:
    layout = Layout(tmp_path_factory.mktemp("c") / "data")
    size = recorded(
        layout,
        20,
        labels={"b": "1", "a": '\u00e9\ud55c"\\'},
        jwt_aud=("x", "y"),
        jwt_known=True,
        message="a 'b'",
    )
    follower = TrailFollower(layout)
    docs = [json.loads(one.body) for one in follower.read(100)]
    follower.close()
    return docs, TrailReader(layout).entries(0, size - 1)


def test_the_entry_of_every_document(world) -> None:
    docs, entries = world
    assert [entry_of_document(doc) for doc in docs] == entries


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_is_seen(world, data: st.DataObject) -> None:
    docs, entries = world
    at = data.draw(st.integers(0, len(docs) - 1))
    doc = dict(docs[at])
    names = sorted(set(doc).difference(DERIVED))
    match data.draw(st.sampled_from(["drop", "change", "add"])):
        case "drop":
            del doc[data.draw(st.sampled_from(names))]
        case "change":
            name = data.draw(st.sampled_from(names))
            value = data.draw(
                st.sampled_from(["", 0, 1.5, True, None, "x", ["x"], {"a": "b"}, [], "00" * 16])
            )
            if type(value) is type(doc[name]) and value == doc[name]:
                return
            doc[name] = value
        case "add":
            doc[
                data.draw(
                    st.sampled_from(
                        ["no.such.field", "rule.name", "user.roles", "jwtrail.personal_commitment"]
                    )
                )
            ] = "ab" * 32
    try:
        made = entry_of_document(doc)
    except (ValueError, TypeError):
        return
    assert made != entries[at]
