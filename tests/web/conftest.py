"""A browser without a window: asks the application directly, keeps cookies, follows nothing by itself."""

import asyncio
from functools import partial

import httpx2
import msgspec
import pytest

from jwtrail import clock
from jwtrail.detect.alert import Alert, Targets
from jwtrail.detect.ruleset import load_ruleset, packaged_texts
from jwtrail.ecs import event_for
from jwtrail.query.local import LocalStore
from jwtrail.runtime.explain import explain
from jwtrail.runtime.metrics import Gauges, Meter, Metrics
from jwtrail.sigma import Proposal
from jwtrail.state import StateStore
from jwtrail.state.records import AlertRow
from jwtrail.tokens.ends import end_of
from jwtrail.tokens.settings import TokenSettings
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.publish import resource
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter
from jwtrail.web.app import build
from jwtrail.web.live import Live
from jwtrail.web.proofs import prover
from jwtrail.web.rules import rules_page
from jwtrail.web.security import SignIns
from jwtrail.web.services import Facts, Services
from jwtrail.web.settings import WebSettings

BASE = "http://127.0.0.1:7070"


class Browser:
    def __init__(self, app, base=BASE):
        self._transport = httpx2.ASGITransport(app)
        self._base = base
        self.cookies = httpx2.Cookies()

    def request(self, method, url, **more):
        return asyncio.run(self._request(method, url, more))

    def get(self, url, **more):
        return self.request("GET", url, **more)

    def post(self, url, **more):
        return self.request("POST", url, **more)

    async def _request(self, method, url, more):
        async with httpx2.AsyncClient(
            transport=self._transport, base_url=self._base, cookies=self.cookies
        ) as client:
            answer = await client.request(method, url, **more)
            self.cookies = client.cookies
            return answer


@pytest.fixture
def browser():
    return Browser


NOW = clock.parse_iso("2026-11-23T12:00:00Z")
MINUTE = 60_000_000


class World:
    """A small real trail with its console: 30 requests of three users, two of them attacked, one alert."""

    def __init__(self, root):
        self.layout = Layout(root)
        self.layout.create()
        self.state = StateStore(self.layout.state)
        self.recorded = []
        self.live = Live()
        self.settings = WebSettings()
        self.ids = self._fill()
        self.reader = TrailReader(self.layout)
        self.store = LocalStore(self.reader, now=lambda: NOW)
        self.ruleset = load_ruleset()
        self.meter = Meter()
        self.services = Services(
            store=self.store,
            state=self.state,
            explain=lambda event_id: explain(self.store, self.reader, self.ruleset, event_id),
            prove=prover(self.reader, self.store),
            facts=lambda: Facts(service="shop", size=self.reader.size, started_us=NOW - MINUTE),
            rules=lambda: rules_page(self.ruleset, dict(packaged_texts())),
            record=self.recorded.append,
            ends=partial(end_of, self.state, TokenSettings()),
            log=partial(resource, self.reader),
            metrics=Metrics(self.meter, lambda: Gauges(size=self.reader.size)).page,
            live=self.live,
            now_us=lambda: NOW,
        )
        self.sign_ins = SignIns(self.settings, lambda: NOW)
        self.app = build(self.services, self.settings, self.sign_ins)

    def _fill(self):
        events = [_request(number) for number in range(30)]
        writer = TrailWriter(self.layout, TrailSettings())
        for event in events:
            writer.put(event, "sync").result(60)
        writer.close()
        with Keeper(self.layout, TrailSettings(), lambda: NOW) as keeper:
            while keeper.step(NOW):
                pass
        return [event.event_id for event in events]

    def add_alert(self, number=1, **changes):
        alert = Alert(
            id=f"{number:032x}",
            rule="00000000-0000-4000-8000-000000000001",
            code="D1",
            name="Object walk",
            level="high",
            group={"user.id": "mallory"},
            at_us=NOW - number * 1_000_000,
            first_us=NOW - 30 * MINUTE,
            sequence=9,
            first_event=self.ids[0],
            events=(self.ids[0], self.ids[9]),
            count=2,
            targets=Targets(jti="jti-0", family="fam-0", user="mallory", source="192.0.2.1"),
            proposal=Proposal(kind="revoke", target="jti"),
        )
        row = AlertRow(
            id=alert.id,
            rule=alert.rule,
            severity=alert.level,
            group="user.id=mallory",
            doc=msgspec.json.encode(alert).decode(),
            **{"at_us": alert.at_us, **changes},
        )
        self.state.add_alert(row)
        return alert

    def actions(self):
        return [event.event_action for event in self.recorded]


def _request(number):
    user = ("alice", "bob", "mallory")[number % 3]
    denied = number % 5 == 0
    return event_for(
        "http-request",
        at_us=NOW - (30 - number) * MINUTE,
        event_outcome="failure" if denied else "success",
        event_reason="expired" if denied else None,
        http_request_method="GET",
        http_response_status_code=401 if denied else 200,
        http_route="/orders/{id}",
        url_path=f"/orders/{number}",
        user_id=user,
        source_ip="192.0.2.1" if user == "mallory" else "198.51.100.7",
        jwt_jti=f"jti-{number % 3}",
        jwt_family=f"fam-{number % 3}",
        user_agent_original="=cmd|' /C calc'!A0" if number == 7 else "browser",
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("console"))
    yield made
    made.store.close()
    made.state.close()


@pytest.fixture
def signed_in(world, browser):
    """A browser with a session, and the headers that change things."""
    made = browser(world.app)
    session = world.sign_ins.redeem(world.sign_ins.new_key(), "127.0.0.1")
    made.cookies.set(world.settings.cookie, session.id)
    made.csrf = {"x-csrf-token": session.csrf}
    world.recorded.clear()
    return made
