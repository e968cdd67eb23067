"""Reading a trail while it is written, sealed and signed, or long after."""

import threading

import pytest

from jwtrail import clock
from jwtrail.errors import CorruptionError, IntegrityError, ProofError
from jwtrail.tlog.tlogproof import verify_proof
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter


def test_an_empty_directory_is_an_empty_trail(tmp_path):
    reader = TrailReader(Layout(tmp_path / "nothing"))
    assert (reader.segments(), reader.unsealed(), reader.size, reader.checkpoint()) == ((), [], 0, None)
    with pytest.raises(IntegrityError, match="no verifier key"):
        reader.vkey()
    with pytest.raises(ProofError, match="not signed yet"):
        reader.inclusion(0)


def test_head_and_what_has_no_index_yet(layout, fill, drain):
    fill(10)
    with Keeper(layout) as keeper:
        head = drain(keeper)
    fill(5, start=50)
    unsealed = TrailReader(layout).unsealed()
    assert unsealed[:12] == head
    assert [event.event_sequence for event in unsealed[12:]] == [None] * 7
    assert [event.jwtrail_writer_seq for event in unsealed[12:]] == list(range(1, 8))
    assert TrailReader(layout).size == 12


def test_every_event_can_be_proved_offline(sealed):
    reader = TrailReader(sealed)
    assert len(reader.segments()) == 2
    assert reader.size == 600
    key = reader.vkey()
    for index in (0, 256, 299, 300, 511, 599):
        found = reader.inclusion(index)
        assert verify_proof(found.proof, found.entry, key) == found.checkpoint
        assert reader.entries(index, index) == [found.entry]
    with pytest.raises(ProofError, match="not signed yet"):
        reader.inclusion(600)


def test_entries_across_segments_and_head(sealed):
    reader = TrailReader(sealed)
    everything = reader.entries(0, 599)
    assert len(everything) == len(set(everything)) == 600
    assert reader.entries(290, 510) == everything[290:511]
    assert len(reader.leaf_hashes(5, 9)) == 5
    for first, last in ((-1, 3), (5, 600), (7, 6)):
        with pytest.raises(ProofError):
            reader.entries(first, last)


def test_a_lost_line_is_named(layout, fill, drain):
    fill(10)
    with Keeper(layout) as keeper:
        drain(keeper)
    (writer,) = layout.writers()
    (layout.wal / writer / "000000000001.ndjson").unlink()
    with pytest.raises(CorruptionError, match="index 0"):
        TrailReader(layout).unsealed()


def test_reading_while_a_keeper_seals(layout, make_event):
    """Whatever moment the reader comes, each event is there once."""
    stop = threading.Event()
    failures = []

    def look():
        reader = TrailReader(layout)
        while not stop.is_set():
            try:
                unsealed = reader.unsealed()
                indexes = [event.event_sequence for event in unsealed if event.event_sequence is not None]
                assert indexes == list(range(indexes[0], indexes[0] + len(indexes))) if indexes else True
            except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
                failures.append(error)
                return

    thread = threading.Thread(target=look)
    thread.start()
    writer = TrailWriter(layout)
    with Keeper(layout, TrailSettings(seal_events=40, checkpoint_seconds=0)) as keeper:
        for number in range(240):
            writer.put(make_event(number))
            if number % 20 == 0:
                keeper.step(clock.now_us())
        writer.close()
        keeper.step(clock.now_us())
    stop.set()
    thread.join()
    assert failures == []
