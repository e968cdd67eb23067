"""Group B of the catalogue: good tokens in the wrong hands."""

from collections.abc import Iterator

from jwtrail.simulate.attacks.kit import HEADLESS, Attack, Scene
from jwtrail.simulate.deed import DAY_S, Deed, failed, request

__all__ = ["THEFT"]


def _revoked(scene: Scene) -> Iterator[Deed]:
    """The victim signs out; an hour later the copy is tried."""
    session = scene.session(scene.victim())
    yield from session.begin(scene.at)
    yield Deed(scene.at + 200, "logout", session.who())
    session.place, session.agent = scene.lair(), HEADLESS
    for wait in (600, 620, 660):
        yield session.call(
            scene.at + wait, {**request(scene.chance, "/orders", "/orders"), **failed(401, "revoked_session")}
        )


def _reuse(scene: Scene) -> Iterator[Deed]:
    """The victim exchanged the refresh token; the thief exchanges the copy."""
    session = scene.session(scene.victim())
    yield from session.begin(scene.at)
    yield session.renew(scene.at + 860)
    session.place, session.agent = scene.lair(), HEADLESS
    reused = {**session.who(), "event_outcome": "failure", "event_reason": "refresh_reused"}
    yield Deed(scene.at + 1000, "refresh-reused", reused)


def _elsewhere(scene: Scene) -> Iterator[Deed]:
    """Victim and thief use one access token within minutes, far from each other."""
    session = scene.session(scene.victim())
    yield from session.begin(scene.at)
    home, browser = session.place, session.agent
    for number, wait in enumerate((20, 90, 140, 200, 260, 330)):
        session.place, session.agent = (scene.lair(), HEADLESS) if number % 2 else (home, browser)
        yield session.call(scene.at + wait, request(scene.chance, "/orders", "/orders"))


def _same_browser(scene: Scene) -> Iterator[Deed]:
    """As above, but the thief copies the browser's name too."""
    session = scene.session(scene.victim())
    yield from session.begin(scene.at)
    home = session.place
    for number, wait in enumerate((20, 60, 140, 200)):
        session.place = scene.lair() if number % 2 else home
        yield session.call(scene.at + wait, request(scene.chance, "/me", "/me"))


def _unbound(scene: Scene) -> Iterator[Deed]:
    """A bound token without the key it is bound to."""
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    reason = scene.chance.choice(("binding_mismatch", "binding_missing", "dpop_invalid"))
    for at in scene.times(2, 30):
        yield session.call(at, {**request(scene.chance, "/me", "/me"), **failed(401, reason)})


def _proof_again(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    for at in scene.times(2, 10):
        yield session.call(at, {**request(scene.chance, "/me", "/me"), **failed(401, "dpop_replayed")})


def _hammering(scene: Scene) -> Iterator[Deed]:
    """A forgotten script that goes on with an expired token."""
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    for at in scene.times(60, 500):
        yield session.call(at, {**request(scene.chance, "/orders", "/orders"), **failed(401, "expired")})


def _in_address(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim())
    fields = request(
        scene.chance, "/download", "/download", query="access_token=…", jwtrail_flags=("token_in_url",)
    )
    yield session.call(scene.at, fields)


def _far_away(scene: Scene) -> Iterator[Deed]:
    """The victim is at home, and ten minutes later a second sign-in works from another continent, with the same browser."""
    person = scene.victim()
    home = scene.session(person)
    yield from home.begin(scene.at)
    yield home.call(scene.at + 30, request(scene.chance, "/me", "/me"))
    session = scene.session(person, scene.lair())
    yield from session.begin(scene.at + 600)
    yield session.call(scene.at + 605, request(scene.chance, "/orders", "/orders"))


def _forgotten(scene: Scene) -> Iterator[Deed]:
    """The refresh token of a device that nobody used for weeks."""
    session = scene.session(scene.victim())
    asleep = scene.at - 20 * DAY_S
    yield from session.begin(asleep)
    yield session.call(asleep + 5, request(scene.chance, "/me", "/me"))
    session.place = scene.lair()
    yield session.renew(scene.at)
    for at in scene.times(40, 240):
        yield session.call(at + 0.1, request(scene.chance, "/orders", "/orders"))


THEFT = (
    Attack("B1", "Revoked token used", ("B1",), _revoked),
    Attack("B2", "Refresh token reused", ("B2",), _reuse),
    Attack("B3", "One token here and far away, two clients", ("B3", "B3b", "B4"), _elsewhere),
    Attack("B3", "One token here and far away, one client", ("B3", "B3b"), _same_browser),
    Attack("B5", "At home and far away", ("B5",), _far_away),
    Attack("B6", "Bound token without its key", ("B6",), _unbound),
    Attack("B7", "Proof used twice", ("B7",), _proof_again),
    Attack("B11", "A forgotten session", ("B11",), _forgotten),
    Attack("B13", "Expired token, over and over", ("B13",), _hammering),
    Attack("B14", "Token in an address", ("B14",), _in_address),
)
