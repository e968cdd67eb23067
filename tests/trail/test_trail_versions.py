"""Lines whose chain is right and that this version cannot store: another version wrote them, or somebody who can write a log."""

import re

import pytest

from jwtrail import clock
from jwtrail.ecs import event_for
from jwtrail.ecs.codec import encode_parts
from jwtrail.ecs.entry import entry_of
from jwtrail.trail import sequencer
from jwtrail.trail.fsck import verify
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.wal import CHAIN_START, build_line, next_chain

WRITER = "aaaaaaaaaaaaaaaa"


@pytest.fixture
def chained(layout):
    """Write a log of its own, its second line changed by a function of (public, personal), the chain right throughout."""

    def write(change, count=5):
        layout.create()
        (layout.wal / WRITER).mkdir()
        chain, lines = CHAIN_START, []
        for number in range(1, count + 1):
            event = event_for("login", user_id=f"u-{number}", at_us=clock.now_us(), process_pid=7)
            public, personal = encode_parts(event)
            if number == 2:
                public, personal = change(public, personal)
            salt = bytes(16)
            chain = next_chain(chain, entry_of(event.event_id, public, personal, salt))
            lines.append(build_line(public, personal, writer=WRITER, number=number, salt=salt, chain=chain))
        (layout.wal / WRITER / "000000000001.ndjson").write_bytes(b"".join(lines))

    return write


def kept(layout, drain):
    """What a daemon takes, seals and finds, from its start to its end."""
    with Keeper(layout, TrailSettings(seal_events=1)) as keeper:
        events = drain(keeper)
        keeper.seal(clock.now_us())
        return [event.user_id for event in events], [str(one) for one in keeper.findings]


@pytest.mark.parametrize("where", ["public", "personal"])
def test_a_field_of_another_version_waits_for_it_and_nothing_is_lost(layout, chained, fill, drain, where):
    def newer(public, personal):
        if where == "public":
            return public.replace(b'"process.pid":7', b'"process.pid":7,"process.new":"x"'), personal
        return public, personal.replace(b'"user.id"', b'"user.brand":"new","user.id"')

    chained(newer)
    fill(20)
    users, findings = kept(layout, drain)
    assert users.count("u-1") == 2, "its first line, and that of another log"
    assert "u-19" in users, "other logs go on and are sealed"
    assert not {"u-2", "u-3"} <= set(users[:1])
    assert len([one for one in findings if "does not know: " in one and "upgrade jwtrail serve" in one]) == 1
    log = layout.wal / WRITER / "000000000001.ndjson"
    assert log.read_bytes().count(b"\n") == 5
    report = verify(layout.root)
    assert report.ok, report.findings
    assert any("number 2 waits" in one.detail for one in report.findings if one.note)
    again, more = kept(layout, drain)
    assert (again, len(more)) == ([], 1), "a restart of the same version waits too"
    assert re.search(rb'"(process.new|user.brand)"', log.read_bytes())


def test_the_version_that_knows_the_field_takes_each_line_once(layout, chained, drain, monkeypatch):
    chained(lambda public, personal: (public, personal))
    with monkeypatch.context() as older:  # a version before the field: it takes number 3 for one of another
        older.setattr(sequencer, "why_not_storable", lambda event, *_: "x" if event.user_id == "u-3" else "")
        older.setattr(sequencer, "unknown_fields", lambda _: ["user.new"])
        assert kept(layout, drain)[0] == ["u-1", "u-2"]
    assert kept(layout, drain) == (["u-3", "u-4", "u-5"], [])
    report = verify(layout.root)
    assert report.ok, report.findings
    assert report.size == 5


@pytest.mark.parametrize(
    "change",
    [
        lambda public, personal: (public.replace(b'"process.pid":7', b'"process.pid":"seven"'), personal),
        lambda public, personal: (public.replace(b'"process.pid":7', b'"process.pid":7.0'), personal),
        lambda public, personal: (public.replace(b'"process.pid":7', b'"process.pid":7,"process.pid":7'), personal),
        lambda public, personal: (public.replace(b'"process.pid":7', b'"process.pid": 7'), personal),
        lambda public, personal: (public.replace(b'"process.pid":7', b'"process.pid":18000000000000000000'), personal),
        lambda public, personal: (public[:-1] + b',"user.id":"u-2"}', b"{}"),
        lambda public, personal: (public.replace(b"Z", b"X", 1), personal),
        lambda public, personal: (re.sub(rb'"@timestamp":"\d{4}-\d\d', b'"@timestamp":"2026-13', public), personal),
        lambda public, personal: (public, personal.replace(b'"u-2"', b'"u\\u002d2"')),
        lambda public, personal: (public, personal.replace(b'"u-2"', b'"u\\n2"')),
    ],
)  # fmt: skip
def test_a_line_that_would_not_come_back_gets_no_index_and_stops_nobody(layout, chained, drain, change):
    chained(change)
    users, findings = kept(layout, drain)
    assert users == ["u-1", "u-3", "u-4", "u-5"]
    assert len(findings) >= 1
    assert (layout.wal / WRITER / "000000000001.ndjson").exists(), "the log is evidence"
    report = verify(layout.root)
    assert report.size == 4
    assert not report.ok, "a number is missing, and the audit says so"
    with Keeper(layout) as keeper:
        assert keeper.step(clock.now_us()) == []
