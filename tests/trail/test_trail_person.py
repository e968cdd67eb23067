"""Whose record it is: by the values of fields that may name somebody, and never by the words around them."""

from collections import Counter

import msgspec
import pytest
from click.testing import CliRunner

from jwtrail import clock, config
from jwtrail.cli.main import cli
from jwtrail.detect.engine import Detector
from jwtrail.detect.ruleset import load_ruleset
from jwtrail.ecs import event_for
from jwtrail.ecs.codec import document
from jwtrail.runtime.crowd import Crowd
from jwtrail.runtime.subjects import erase, held_about
from jwtrail.runtime.telling import windows_without
from jwtrail.runtime.upkeep import CROWD, CURSOR
from jwtrail.state.outbox import Delivery, Outbox
from jwtrail.state.records import AlertRow, Family, Restraint
from jwtrail.state.saved import SavedSearch, SavedSearches
from jwtrail.state.saying import SILENT, said
from jwtrail.state.schema import MIGRATIONS
from jwtrail.state.store import StateStore
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.person import Finder, Person
from jwtrail.trail.writer import TrailWriter

ADMIN = Finder(Person("admin"))
KIM = Finder(Person("u-4711", frozenset({"Kim Minseo", "김민서"}), frozenset({"17", "fam-1"})))


@pytest.mark.parametrize(
    ("finder", "fields"),
    [
        (ADMIN, {"user_id": "admin"}),
        (ADMIN, {"user_name": "admin", "event_outcome": "failure"}),
        (ADMIN, {"user_id": "u-1", "jwtrail_subject_ids": ("u-2", "admin")}),
        (ADMIN, {"url_path": "/users/admin/orders", "http_route": "/users/{id}/orders"}),
        (ADMIN, {"jwtrail_response_target": "subject=admin"}),
        (ADMIN, {"jwtrail_alert_group": "source.ip=192.0.2.1,user.id=admin"}),
        (KIM, {"url_path": "/files/u-4711"}),
        (KIM, {"url_original": "/files?of=kim%20minseo"}),
        (KIM, {"url_query": "of=%EA%B9%80%EB%AF%BC%EC%84%9C&x=Kim+Minseo"}),
        (KIM, {"user_name": "KIM MINSEO", "event_outcome": "failure"}),
        (KIM, {"labels": {"who": 'quoted "u-4711" and \\u-4711'}}),
        (KIM, {"user_id": "u-1", "jwt_parent": "17"}),
        (KIM, {"related_user": ("u-1", "u-4711"), "user_id": "u-1"}),
        (Finder(Person("jane@example.com")), {"user_name": "Jane@Example.com"}),
        (Finder(Person("jane@example.com")), {"url_query": "mail=JANE%40example.com"}),
        (Finder(Person("x", frozenset({"Andre\u0301"}))), {"user_name": "andr\xe9"}),
        (Finder(Person("a\tb")), {"user_id": "a\tb"}),
    ],
)
def test_it_tells_of_them(finder, fields):
    assert finder.in_event(document(event_for("http-request", **fields)))


@pytest.mark.parametrize(
    ("finder", "fields"),
    [
        (ADMIN, {"user_id": "u-1", "user_roles": ("admin",), "jwt_claims": {"role": "admin"}}),
        (ADMIN, {"user_id": "u-1", "url_path": "/admin/users", "http_route": "/admin/users"}),
        (ADMIN, {"url_path": "/admin/login.php", "source_ip": "192.0.2.9"}),
        (ADMIN, {"user_id": "u-1", "message": "an admin key was made", "labels": {"admin": "no"}}),
        (ADMIN, {"user_id": "u-1", "jwtrail_alert_group": "user.id=u-1,http.route=/admin"}),
        (ADMIN, {"user_id": "u-1", "jwtrail_alert_group": "user.roles=admin"}),
        (Finder(Person("u-1", frozenset({"kim"}))), {"user_id": "kim"}),
        (Finder(Person("u-1", frozenset({"kim"}))), {"user_id": "u-2", "user_name": "Kim", "related_user": ("kim",)}),
        (KIM, {"user_id": "17", "url_path": "/orders/17"}),
        (KIM, {"user_id": "U-4711"}),
        (KIM, {"url_path": "/files/u-47112"}),
    ],
)  # fmt: skip
def test_it_tells_of_somebody_else(finder, fields):
    assert not finder.in_event(document(event_for("http-request", **fields)))


def test_every_column_of_text_is_placed():
    """A new table or column is looked at as free text until somebody says what it holds."""
    created = "\n".join(statement for statements in MIGRATIONS for statement in statements)
    for table, columns in SILENT.items():
        assert table in created
        assert all(column in created for column in columns)
    assert list(said("a-table-to-come", {"text": "words", "number": 1})) == [("message", "words")]
    assert list(said("alerts", {"doc": "[not an alert", "note": ""})) == [
        ("message", "[not an alert"),
        ("message", ""),
    ]


def alert(number, user, **fields):
    doc = {
        "name": "The admin name of an open session", "description": "Somebody with the name admin.", "level": "high",
        "group": {"user.id": user}, "targets": {"user": user, "route": "/admin"}, "tags": ["name"],
    }  # fmt: skip
    return AlertRow(
        id=f"a{number}", rule="r", severity="high", group=f"user.id={user}", at_us=1,
        doc=msgspec.json.encode(doc).decode(), **fields,
    )  # fmt: skip


@pytest.fixture
def settings(layout):
    return msgspec.structs.replace(config.load({}, environ={}).settings, data=str(layout.root))


PEOPLE = ("name", "admin", "open", "high", "groups", "u-1", 'Anne "Q" \\ O\'Neil', "김민서")


@pytest.fixture
def crowded(layout, settings):
    """Rows about people who are called like words of a rule, a table or a query."""
    writer = TrailWriter(layout)
    for who in PEOPLE:
        writer.put(event_for("login", user_id=who, source_ip="192.0.2.1"))
    writer.put(event_for("login", user_id="u-1", user_roles=("admin",)), "sync").result(60)
    writer.close()
    with Keeper(layout) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing:
            pass
    now = clock.now_us()
    crowd, detector = Crowd(), Detector(load_ruleset(), None)
    events = [
        event_for("login", user_id=who, source_ip="192.0.2.1", event_outcome="success") for who in PEOPLE
    ]
    crowd.see(events)
    events = [event for event in events if event.user_id != "name"]
    detector.feed([msgspec.structs.replace(event, event_sequence=at) for at, event in enumerate(events)])
    with (
        StateStore(layout.state) as state,
        Outbox(layout.state) as outbox,
        SavedSearches(layout.state) as saved,
    ):
        state.commit(alerts=[alert(at, who) for at, who in enumerate(PEOPLE)])
        state.commit(cursor=(CROWD, crowd.save()))
        state.commit(cursor=(CURSOR, detector.snapshot()))
        for at, who in enumerate(PEOPLE):
            notice = {"title": "The admin name", "group": f"user.id={who}", "event": {"user.id": who}}
            doc = msgspec.json.encode(notice).decode()
            outbox.add(Delivery(id=f"d{at}", channel="mail", alert=f"a{at}", doc=doc, at_us=now, due_us=now))
            state.add_family(
                Family(
                    id=f"f-{at}", subject=who, jti=f"j-{at}", generation=0, created_us=now, rotated_us=now,
                    expires_us=now + 10**9, client_id="name", scope="admin open", claims='{"role":"admin","name":"x"}',
                )
            )  # fmt: skip
            state.restrain(
                Restraint(id=f"r{at}", field="user.id", value=who, at_us=now, until_us=now - 1, per_minute=0)
            )
        saved.put(SavedSearch(name="who", query="user.name: * and user.roles: admin"))
        saved.put(SavedSearch(name="theirs", query='user.name: admin or user.id: "u-1"'))
    assert detector.stats().groups


def test_the_detector_s_cut_names_are_known():
    long = "u-" + "x" * 600
    detector = Detector(load_ruleset(), None)
    detector.feed([msgspec.structs.replace(event_for("login", user_id=long), event_sequence=0)])
    snapshot = detector.snapshot()
    assert long.encode() not in snapshot
    assert windows_without(snapshot, Person("u-1")) is None
    assert windows_without(snapshot, Person(long)) is not None


@pytest.mark.usefixtures("crowded")
def test_only_their_rows_are_handed_out(settings):
    for who in PEOPLE:
        rows = list(held_about(settings, who))
        tables = Counter(row.get("_table", "event") for row in rows)
        wanted = {
            "alerts": 1,
            "deliveries": 1,
            "families": 1,
            "restraints": 1,
            "event": 2 if who == "u-1" else 1,
        }
        assert tables == wanted | ({"saved": 1} if who in ("admin", "u-1") else {}), who
        assert {row["subject"] for row in rows if row.get("_table") == "families"} == {who}


@pytest.mark.parametrize("who", ["name", "admin", PEOPLE[-2]])
@pytest.mark.usefixtures("crowded")
def test_only_their_rows_are_taken_away(layout, settings, who):
    erase(settings, who, by="root", reason="")
    others = [one for one in PEOPLE if one != who]
    with StateStore(layout.state) as state:
        families = {row.subject for one in PEOPLE for row in state.families_of(one)}
        left = Detector(load_ruleset(), state.get_cursor(CURSOR)).stats().groups
        crowd = Crowd(state.get_cursor(CROWD))
        assert state.alert(f"a{PEOPLE.index(who)}") is None
        assert all(state.alert(f"a{PEOPLE.index(one)}") for one in others)
    assert families == set(others)
    assert (left > 0) == (who == "name"), "windows begin anew when the person is in one, not when a word is"
    assert crowd.users("192.0.2.1", clock.now_us()) == len(others)
    assert list(held_about(settings, who)) == []


@pytest.mark.usefixtures("crowded")
def test_the_command_hands_out_only_theirs(layout):
    done = CliRunner().invoke(cli, ["subject", "export", "name", "--data", str(layout.root)])
    assert done.exit_code == 0, done.output
    rows = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert [row["group"] for row in rows if row.get("_table") == "alerts"] == ["user.id=name"]
