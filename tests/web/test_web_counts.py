"""Counts and saved searches through the API, and searches that end when nobody waits."""

import asyncio
import threading

import msgspec
import pytest

from jwtrail import clock
from jwtrail.errors import QueryError
from jwtrail.query.running import current
from jwtrail.web.app import build
from waiting import LONG_S

V1 = "/api/v1"
HOUR = {"from": "2026-11-23T11:00:00Z", "to": "2026-11-23T12:00:00Z"}
REQUESTS = {**HOUR, "q": "event.action: http-request"}


def test_statistics_of_a_field(signed_in):
    made = signed_in.get(f"{V1}/stats", params={**REQUESTS, "field": "http.response.status_code"}).json()
    assert made["field"] == "http.response.status_code"
    assert made["count"] + made["missing"] == 30
    assert made["exact"]
    assert made["distinct"] == len(made["top"])
    assert sum(one["count"] for one in made["top"]) == made["count"]
    assert (made["low"], made["high"]) == (
        min(one["value"] for one in made["top"]),
        max(one["value"] for one in made["top"]),
    )
    assert [one["percent"] for one in made["percentiles"]][:2] == [1.0, 5.0]
    users = signed_in.get(f"{V1}/stats", params={**REQUESTS, "field": "user.id", "size": 1}).json()
    assert (users["percentiles"], users["mean"], len(users["top"])) == ([], None, 1)
    assert signed_in.get(f"{V1}/stats", params={**HOUR, "field": "no.such"}).status_code == 400


def test_what_users_did(signed_in):
    asked = {**REQUESTS, "kind": "user"}
    made = signed_in.get(f"{V1}/entities", params=asked).json()
    assert sum(one["events"] for one in made["entities"]) == 30
    assert [one["events"] for one in made["entities"]] == sorted(
        (one["events"] for one in made["entities"]), reverse=True
    )
    worst = signed_in.get(f"{V1}/entities", params={**asked, "order": "failures", "size": 1}).json()
    assert worst["entities"][0]["failures"] == max(one["failures"] for one in made["entities"])
    assert signed_in.get(f"{V1}/entities", params={**asked, "kind": "planet"}).status_code == 400


def test_a_search_is_saved_listed_replaced_and_forgotten(signed_in):
    body = {"name": "Failures / week", "q": "event.outcome: failure", "from": "now-7d"}
    assert signed_in.post(f"{V1}/saved", json=body).status_code == 403  # without the token
    kept = signed_in.post(f"{V1}/saved", json=body, headers=signed_in.csrf).json()
    assert (kept["from"], kept["to"]) == ("now-7d", "now")
    again = {**body, "q": "event.outcome: success"}
    signed_in.post(f"{V1}/saved", json=again, headers=signed_in.csrf)
    (only,) = signed_in.get(f"{V1}/saved").json()["searches"]
    assert (only["name"], only["q"]) == (body["name"], again["q"])
    for bad in ({"q": "a: ("}, {"from": "yesterday"}, {"name": "\x1b[2J"}, {"name": ""}, {"surprise": 1}):
        refused = signed_in.post(f"{V1}/saved", json={**body, **bad}, headers=signed_in.csrf)
        assert refused.status_code == 400, bad
    url = f"{V1}/saved/Failures%20%2F%20week"
    assert signed_in.request("DELETE", url, headers=signed_in.csrf).status_code == 204
    assert signed_in.request("DELETE", url, headers=signed_in.csrf).json()["error"]["code"] == "not_saved"
    assert signed_in.get(f"{V1}/saved").json() == {"searches": []}


class Endless:
    """A store whose histogram ends only when it is told to."""

    def __init__(self, store):
        self._store = store
        self.began, self.ended = threading.Event(), ""

    def __getattr__(self, name):
        return getattr(self._store, name)

    def histogram(self, *_args, **_named):
        self.began.set()
        run = current()
        try:
            while True:
                run.check()
                clock.sleep(0.005)
        except QueryError as error:
            self.ended = error.message
            raise


@pytest.mark.parametrize("gone_after", ["body", "a while"])
def test_a_closed_tab_cancels_its_search(world, signed_in, gone_after):
    store = Endless(world.store)
    services = world.services.__class__(
        **{name: getattr(world.services, name) for name in world.services.__slots__} | {"store": store}
    )
    app = build(services, world.settings, world.sign_ins)
    cookie = "; ".join(f"{name}={value}" for name, value in signed_in.cookies.items())
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": f"{V1}/histogram",
        "raw_path": f"{V1}/histogram".encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"127.0.0.1:7070"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 7070),
    }  # fmt: skip
    said = []
    told = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        if gone_after == "body" and (message := next(told, None)):
            return message
        await asyncio.to_thread(store.began.wait, LONG_S)
        return {"type": "http.disconnect"}

    async def send(message):
        said.append(message)

    asyncio.run(asyncio.wait_for(app(scope, receive, send), LONG_S))
    assert store.ended == "the query was cancelled"
    assert said[0]["status"] == 400
    assert msgspec.json.decode(said[1]["body"])["error"]["message"] == store.ended
