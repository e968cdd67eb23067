"""From the console to Discover: the same query and time, in Rison, for signed-in people alone."""

from urllib.parse import unquote

import pytest

from jwtrail.errors import ConfigError
from jwtrail.ship.saved.links import discover_url, rison
from jwtrail.web.app import build
from jwtrail.web.settings import WebSettings

KIBANA = "https://kibana.example/base/s/security"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", "''"),
        ("now-24h", "now-24h"),
        ("2026-01-05T00:00:00Z", "'2026-01-05T00:00:00Z'"),
        ("it's so!", "'it!'s so!!'"),
        ("-1", "'-1'"),
        ("한국", "한국"),
        (True, "!t"),
        ([1, ["@timestamp", "desc"]], "!(1,!('@timestamp',desc))"),
        ({"b": {}, "a": []}, "(a:!(),b:())"),
    ],
)
def test_rison(value, text):
    assert rison(value) == text


def test_the_address_holds_query_time_and_data_view():
    made = discover_url(f"{KIBANA}/", 'user.id: "a&b#c" and not x: (1 or 2)', "now-7d", "now")
    head, _, state = made.partition("#/?")
    assert head == f"{KIBANA}/app/discover"
    everywhere, here = state.split("&")  # what is in the query cannot split it
    assert unquote(everywhere) == "_g=(time:(from:now-7d,to:now))"
    assert "index:jwtrail-events" in here
    assert "query:(language:kuery,query:'user.id: \"a&b#c\" and not x: (1 or 2)')" in unquote(here)


def test_the_console_leads_there(world, browser):
    settings = WebSettings(kibana_url=KIBANA)
    client = browser(build(world.services, settings, world.sign_ins))
    path = "/api/v1/kibana?q=event.reason%3A%20alg_none&from=now-1h&to=now"
    assert client.get(path).status_code == 401
    session = world.sign_ins.redeem(world.sign_ins.new_key(), "127.0.0.1")
    client.cookies.set(settings.cookie, session.id)
    assert client.get("/api/v1/status").json()["kibana"]
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["location"] == discover_url(KIBANA, "event.reason: alg_none", "now-1h", "now")
    assert client.get(f"/api/v1/kibana?q={'x' * 5000}").status_code == 400


def test_without_a_kibana_there_is_no_way(signed_in):
    assert not signed_in.get("/api/v1/status").json()["kibana"]
    assert signed_in.get("/api/v1/kibana").json()["error"]["code"] == "kibana_unknown"
    with pytest.raises(ConfigError):
        WebSettings(kibana_url="javascript:alert(1)")
