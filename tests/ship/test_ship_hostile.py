"""An engine that says what it likes is told of in words, and hides nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ship_worlds import recorded

from jwtrail.elastic.answer import Answer
from jwtrail.errors import CorruptionError, EngineError, IntegrityError
from jwtrail.ship.compare import Comparison
from jwtrail.ship.logcopy import LogCopy
from jwtrail.ship.rebuild import Rebuilt, rebuilt
from jwtrail.ship.shipped import ShippedDocuments, entry_of_document, hash_of
from jwtrail.tlog.checkpoint import Checkpoint
from jwtrail.tlog.merkle import EMPTY_ROOT
from jwtrail.trail.follow import TrailFollower
from jwtrail.trail.layout import Layout
from jwtrail.trail.publish import copy_log
from jwtrail.trail.reader import TrailReader

SIZE = 3

World = tuple[TrailReader, list[dict[str, Any]]]


class Liar:
    """Answers each search with what `told` makes of its query."""

    def __init__(self, told: Callable[[dict[str, Any]], bytes]) -> None:
        self._told = told

    def request(
        self, _: str, path: str, *, body: dict[str, Any] | None = None, safe: bool = False, **more: object
    ) -> Answer:
        assert safe
        raw = self._told(body["query"]) if body and "_search" in path else b"{}"
        return Answer(200, {}, raw, 0.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    layout = Layout(tmp_path_factory.mktemp("h") / "data")
    size = recorded(layout, SIZE)
    follower = TrailFollower(layout)
    docs = [json.loads(one.body) for one in follower.read(size)]
    follower.close()
    return TrailReader(layout), docs


def hits(*docs: dict[str, Any]) -> bytes:
    found = [
        {"_index": "i", "_id": doc["event.hash"], "_source": doc, "sort": [doc["jwtrail.writer_seq"] - 1]}
        for doc in docs
    ]
    return msgspec.json.encode({"hits": {"hits": found}})


def asked(query: dict[str, Any]) -> str:
    """What a query of the comparison is about."""
    bounds = query.get("range", {}).get("event.sequence", {})
    return "window" if "lte" in bounds else next(iter(bounds), next(iter(query)))


def compared(world: World, told: Callable[[dict[str, Any]], bytes]) -> dict[str, int]:
    reader, docs = world
    documents = ShippedDocuments(Liar(told), "default")  # type: ignore[arg-type]
    return Comparison(documents, reader, frozenset()).run(0, len(docs) - 1).counts


def test_the_truth_is_good(world: World) -> None:
    assert compared(world, lambda query: hits(*world[1]) if asked(query) == "window" else b"{}") == {}


def test_a_document_before_the_first_index_is_foreign(world: World) -> None:
    planted = world[1][0] | {"event.sequence": -1}
    told = {"window": hits(*world[1]), "lt": hits(planted)}
    assert compared(world, lambda query: told.get(asked(query), b"{}")) == {"foreign": 1}


@pytest.mark.parametrize("said", [7, [0, 7], "0", None])
def test_an_index_that_is_not_the_events_is_told(world: World, said: object) -> None:
    docs = [world[1][0] | {"event.sequence": said}, *world[1][1:]]
    assert compared(world, lambda query: hits(*docs) if asked(query) == "window" else b"{}") == {"altered": 1}


@pytest.mark.parametrize("sort", ["[null]", "[]", "[1e308]"])
def test_a_place_that_is_none_belongs_to_no_event(world: World, sort: str) -> None:
    hit = f'{{"hits":{{"hits":[{{"_index":"i","_id":"x","_source":{{}},"sort":{sort}}}]}}}}'.encode()
    counts = compared(world, lambda query: hit if asked(query) == "window" else b"{}")
    assert counts["missing"] == len(world[1])


@pytest.mark.parametrize(
    "raw",
    [
        b'{"hits":{"hits":[{"_index":"i","_id":"x","_source":[1],"sort":[0]}]}}',
        b'{"hits":{"hits":[{"_index":"i","_id":"x","_source":{},"sort":["\x1b"]}]}}',
        b'{"hits":{"hits":[{"_index":"i","_id":"x","_source":'
        + b'{"a":' * 5000
        + b"1"
        + b"}" * 5000
        + b"}]}}",
        b"[" * 100_000,
        b"null",
    ],
)
def test_an_answer_that_cannot_be_is_an_error_in_words(world: World, raw: bytes) -> None:
    with pytest.raises(EngineError, match="not understood"):
        compared(world, lambda _: raw)
    if raw != b"null":
        assert not isinstance(Answer(200, {}, b"[" * 100_000, 0.0).json, list)


def signed(world: World, **more: object) -> Checkpoint:
    reader, _ = world
    last = reader.checkpoint()
    assert last is not None
    return msgspec.structs.replace(last, **more)


def alone(world: World, *docs: dict[str, Any], **more: object) -> Rebuilt:
    documents = ShippedDocuments(
        Liar(lambda query: hits(*docs) if asked(query) == "window" else b"{}"), "default"
    )  # type: ignore[arg-type]
    return rebuilt(documents, signed(world, **more))


def test_the_documents_alone_give_the_signed_root(world: World) -> None:
    _, docs = world
    assert alone(world, *docs).ok
    assert alone(world, size=0, root=EMPTY_ROOT).ok


def test_an_altered_document_with_a_fitting_hash_does_not_give_the_root(world: World) -> None:
    _, docs = world
    forged = docs[1] | {"http.response.status_code": 404}
    forged["event.hash"] = hash_of(entry_of_document(forged))
    found = alone(world, docs[0], forged, *docs[2:])
    assert (found.ok, found.signed, found.counts) == (False, False, {})


def test_documents_that_change_places_do_not_give_the_root(world: World) -> None:
    _, docs = world
    places = ("event.sequence", "jwtrail.writer_seq")
    first, second = ({**docs[n], **{name: docs[1 - n][name] for name in places}} for n in (0, 1))
    found = alone(world, second, first, *docs[2:])
    assert (found.ok, found.signed, found.counts) == (False, False, {})


def test_what_contradicts_itself_is_named_without_the_trail(world: World) -> None:
    _, docs = world
    found = alone(world, docs[0], docs[1] | {"user.id": "x"}, *docs[3:], docs[0] | {"user.id": "y"})
    assert found.signed is None
    assert found.counts == {"altered": 1, "doubled": 1, "missing": 1}


def by_log(world: World, log: LogCopy, *docs: dict[str, Any]) -> dict[str, int]:
    documents = ShippedDocuments(
        Liar(lambda query: hits(*docs) if asked(query) == "window" else b"{}"), "default"
    )  # type: ignore[arg-type]
    return Comparison(documents, log, goes_on=True).run(0, log.size - 1).counts


def test_a_copy_of_the_log_names_the_document_that_was_altered_with_its_hash(
    world: World, tmp_path: Path
) -> None:
    reader, docs = world
    copy_log(reader, tmp_path)
    log = LogCopy.open(tmp_path, reader.vkey())
    assert log.entries(0, log.size - 1) == reader.entries(0, log.size - 1)
    assert by_log(world, log, *docs) == {}
    forged = docs[1] | {"http.response.status_code": 404}
    forged["event.hash"] = hash_of(entry_of_document(forged))
    assert by_log(world, log, docs[0], forged, *docs[2:]) == {"foreign": 1, "missing": 1}


def test_a_copy_of_the_log_that_was_changed_is_no_copy(world: World, tmp_path: Path) -> None:
    reader, _ = world
    copy_log(reader, tmp_path)
    (bundle,) = (tmp_path / "tile/entries").rglob("*.p/*")
    good = bundle.read_bytes()
    for data, error in (
        (good[:-1] + bytes([good[-1] ^ 1]), IntegrityError),
        (good[:-1], CorruptionError),
        (good + b"x", CorruptionError),
        (b"\0\1" + good[2:], CorruptionError),
    ):
        bundle.write_bytes(data)
        with pytest.raises(error):
            LogCopy.open(tmp_path, reader.vkey())
    bundle.unlink()
    with pytest.raises(CorruptionError, match="lacks a file"):
        LogCopy.open(tmp_path, reader.vkey())


def test_a_copy_of_a_longer_log(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    recorded(layout, 700)
    reader = TrailReader(layout)
    copy_log(reader, tmp_path / "log")
    log = LogCopy.open(tmp_path / "log", reader.vkey())
    for first, last in ((0, 0), (255, 256), (300, 699), (0, log.size - 1), (512, 512)):
        assert log.entries(first, last) == reader.entries(first, last)
