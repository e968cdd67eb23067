"""The door of the console, asked by pages of other sites."""

import pytest

from jwtrail.web.app import build
from jwtrail.web.security import MAX_FAILURES, SignIns

CLICK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-user": "?1"}


@pytest.fixture
def console(world, browser):
    world.recorded.clear()
    keys = SignIns(world.settings, world.services.now_us)
    made = browser(build(world.services, world.settings, keys))
    made.keys = keys
    return made


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "how",
    [
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "sec-fetch-user": "?1"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        {},
    ],
    ids=["picture", "script", "frame", "sent on", "site alone"],
)
def test_another_site_neither_signs_in_nor_spends_tries_nor_fills_the_trail(console, world, site, how):
    key = console.keys.new_key()
    for wrong in (key, *["x"] * (MAX_FAILURES + 1)):
        answer = console.get(f"/login?key={wrong}", headers={"sec-fetch-site": site} | how)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert world.actions() == []
    assert console.get("/login?key=x").status_code == 401
    assert console.get(f"/login?key={key}", headers={"sec-fetch-site": "none"} | CLICK).status_code == 200


def test_a_click_on_the_link_counts_wherever_it_stands(console):
    for site in ("cross-site", "same-site", "same-origin", "none"):
        console.cookies.clear()
        answer = console.get(f"/login?key={console.keys.new_key()}", headers={"sec-fetch-site": site} | CLICK)
        assert answer.status_code == 200


def test_wrong_links_by_the_hundred_are_ten_events_a_minute(console, world):
    for _ in range(100):
        console.get("/login?key=wrong")
    assert len(world.recorded) == MAX_FAILURES
    assert console.get(f"/login?key={console.keys.new_key()}").status_code == 200
