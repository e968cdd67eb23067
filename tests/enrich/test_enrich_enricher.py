"""Fields from real databases, made here, and from `User-Agent`; what an event brings itself stays, and nothing ever breaks it."""

import maxminddb
import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter

from jwtrail import clock, config
from jwtrail.ecs import encode_parts, event_for
from jwtrail.enrich.addresses import LOOK_NS, Addresses, fields_of
from jwtrail.enrich.enricher import MAX_REMEMBERED, Enricher
from jwtrail.enrich.settings import EnrichSettings
from jwtrail.errors import ConfigError
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.runtime.worker import Worker
from jwtrail.trail.keeper import Keeper

CITY = {
    "country": {"iso_code": "KR"},
    "city": {"names": {"en": "Seoul", "ko": "서울"}},
    "location": {"latitude": 37.566, "longitude": 126.9784},
}
ASN = {"autonomous_system_number": 24940, "autonomous_system_organization": "Hetzner Online"}


def database(path, records):
    writer = MMDBWriter(6, ipv4_compatible=True, database_type="test", languages=["en"])
    for network, record in records.items():
        writer.insert_network(netaddr.IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


@pytest.fixture
def files(tmp_path):
    return (
        database(tmp_path / "city.mmdb", {"203.0.113.0/24": CITY, "2001:db8::/32": CITY}),
        database(tmp_path / "asn.mmdb", {"203.0.113.0/24": ASN}),
    )


def _event(**fields):
    return event_for("http-request", **fields)


def test_an_address_gets_its_place_its_network_and_its_kind(files):
    event = Enricher(EnrichSettings(databases=files))(_event(source_ip="203.0.113.7"))
    assert (event.source_geo_country_iso_code, event.source_geo_city_name) == ("KR", "Seoul")
    assert event.source_geo_location == "37.5660,126.9784"
    assert (event.source_as_number, event.source_as_organization_name) == (24940, "Hetzner Online")
    assert event.jwtrail_network == "hosting"
    assert (
        Enricher(EnrichSettings(databases=files))(_event(source_ip="2001:db8::1")).source_geo_city_name
        == "Seoul"
    )


def test_addresses_that_nobody_knows_and_no_addresses_change_nothing(files):
    enrich = Enricher(EnrichSettings(databases=files))
    for address in ("198.51.100.1", "::1", "unix", ""):
        event = _event(source_ip=address)
        assert enrich(event) is event
    assert enrich(_event()).source_as_number is None


def test_what_an_event_brings_itself_stays(files):
    brought = _event(
        source_ip="203.0.113.7",
        source_geo_city_name="Busan",
        user_agent_original="curl/8.4.0",
        user_agent_name="mine",
    )
    event = Enricher(EnrichSettings(databases=files))(brought)
    assert (event.source_geo_city_name, event.user_agent_name) == ("Busan", "mine")
    assert (event.source_geo_country_iso_code, event.user_agent_version) == ("KR", "8.4.0")


@pytest.mark.parametrize(
    ("agent", "name", "system", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0", "Firefox", "Linux", None),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Version/17.1 Mobile/15E148 Safari/604.1",
            "Mobile Safari",
            "iOS",
            "iPhone",
        ),
        ("python-requests/2.31.0", "Python Requests", None, None),
        ("x" * 5000, None, None, None),
        ("", None, None, None),
    ],
)
def test_a_client_program_is_named(agent, name, system, device):
    event = _shared()(_event(user_agent_original=agent))
    assert (event.user_agent_name, event.user_agent_os_name, event.user_agent_device_name) == (
        name,
        system,
        device,
    )


@given(st.text(max_size=600))
def test_no_client_program_breaks_an_event(text):
    enrich = _shared()
    encode_parts(enrich(_event(user_agent_original=text)))


def _shared(made=[]):  # noqa: B006
    if not made:
        made.append(Enricher(EnrichSettings()))
    return made[0]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"country_code": "DE", "asn": "AS3320", "as_name": "DTAG", "city": "Bonn"},
            {
                "source_geo_country_iso_code": "DE", "source_as_number": 3320, "source_as_organization_name": "DTAG",
                "source_geo_city_name": "Bonn",
            },
        ),
        ({"is_tor_exit_node": True, "is_anonymous_vpn": True}, {"jwtrail_network": "tor"}),
        ({"traits": {"user_type": "cellular"}}, {"jwtrail_network": "mobile"}),
        ({"country": "KR", "city": {"names": ["x"]}, "location": {"latitude": 900, "longitude": 1}}, {}),
        ({"asn": "ASx", "autonomous_system_number": -1}, {}),
        ({"autonomous_system_number": True, "city": 7, "location": "here"}, {}),
    ],
)  # fmt: skip
def test_records_of_other_makers_and_of_other_forms(record, expected):
    assert fields_of(record) == expected


def test_a_file_that_is_replaced_is_taken_and_half_a_file_is_not(tmp_path, monkeypatch):
    now = [0]
    monkeypatch.setattr("jwtrail.clock.monotonic_ns", lambda: now[0])
    path = tmp_path / "city.mmdb"
    database(path, {"203.0.113.0/24": CITY})
    enrich = Enricher(EnrichSettings(databases=(str(path),)))
    asked = _event(source_ip="203.0.113.7")
    assert enrich(asked).source_geo_city_name == "Seoul"
    (tmp_path / "half").write_bytes(b"\xab\xcd" * 50)
    (tmp_path / "half").replace(path)
    now[0] += LOOK_NS
    assert enrich(asked).source_geo_city_name == "Seoul"
    database(tmp_path / "new", {"203.0.113.0/24": {"city": {"names": {"en": "Jeju"}}}})
    (tmp_path / "new").replace(path)
    assert enrich(asked).source_geo_city_name == "Seoul"  # it is not looked at for every event
    now[0] += LOOK_NS
    assert enrich(asked).source_geo_city_name == "Jeju"


def test_a_database_that_is_none_is_refused_at_once(tmp_path):
    (tmp_path / "no.mmdb").write_text("no database")
    for name in ("no.mmdb", "missing.mmdb"):
        with pytest.raises(ConfigError, match=name):
            Enricher(EnrichSettings(databases=(str(tmp_path / name),)))


def test_a_damaged_place_in_a_file_breaks_no_event(files, monkeypatch):
    def damaged(*_):
        raise maxminddb.InvalidDatabaseError("damaged")

    addresses = Addresses(files)
    monkeypatch.setattr(addresses, "_readers", {"x": (type("R", (), {"get": damaged})(), (0, 0))})
    assert addresses.fields("203.0.113.7") == {}


def test_memory_is_bounded():
    enrich = _shared()
    for number in range(MAX_REMEMBERED + 50):
        enrich(_event(user_agent_original=f"client/{number}"))
    assert len(enrich._who._known) == MAX_REMEMBERED


def test_nothing_to_add_is_known_before_the_first_event():
    assert not Enricher(EnrichSettings(user_agents=False)).active
    assert Enricher(EnrichSettings()).active


def test_the_fields_reach_the_trail_and_the_search_and_are_committed_to(tmp_path, files):
    from jwtrail.trail.fsck import verify

    settings = config.load({"data": str(tmp_path / "data"), "enrich.databases": list(files)}).settings
    worker = Worker(settings)
    worker.record("login", source_ip="203.0.113.7", user_agent_original="curl/8.4.0", user_name="kim")
    worker.close()
    with Keeper(worker.layout, settings.trail) as keeper:
        while keeper.step(clock.now_us()):
            pass
        keeper.seal(clock.now_us())
    store = LocalStore(TrailFiles(worker.layout))
    query = "source.as.number: 24940 and user_agent.name: curl and jwtrail.network: hosting and event.action: login"
    assert [event.user_name for event in store.search(SearchRequest(query=query, limit=5)).events] == ["kim"]
    assert verify(worker.layout.root).ok


def test_a_number_the_event_brings_says_that_its_network_is_a_hosting_one():
    enrich = Enricher(EnrichSettings(hosting_asns=(64500,)))
    said = [
        enrich(event_for("login", source_as_number=number)).jwtrail_network
        for number in (14061, 64500, 64501)
    ]
    assert said == ["hosting", "hosting", None]
    assert enrich(event_for("login", source_as_number=14061, jwtrail_network="vpn")).jwtrail_network == "vpn"
