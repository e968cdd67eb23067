"""Group C of the catalogue: passwords, codes, resets."""

from collections.abc import Iterator

from jwtrail.simulate.attacks.kit import HEADLESS, Attack, Scene, anonymous
from jwtrail.simulate.deed import Deed, failed, login_failed, request

__all__ = ["CREDENTIALS"]


def _one_account(scene: Scene) -> Iterator[Deed]:
    name = scene.victim().name
    for number, at in enumerate(scene.times(scene.chance.randint(14, 40), 400)):
        yield Deed(at, "login", login_failed(name, scene.lair(number % 3), HEADLESS))


def _one_source(scene: Scene) -> Iterator[Deed]:
    people = scene.chance.sample(scene.world.people, 6)
    for at in scene.times(40, 200):
        yield Deed(at, "login", login_failed(scene.chance.choice(people).name, scene.lair(), HEADLESS))


def _spray(scene: Scene) -> Iterator[Deed]:
    """One common password on many accounts, slowly."""
    people = scene.chance.sample(scene.world.people, min(30, len(scene.world.people)))
    for person, at in zip(people, scene.times(len(people), 2400), strict=True):
        yield Deed(at, "login", login_failed(person.name, scene.lair(), HEADLESS))


def _stuffing(scene: Scene) -> Iterator[Deed]:
    """Leaked pairs from a hundred addresses of one network."""
    for number, at in enumerate(scene.times(140, 700)):
        name = f"leak{scene.chance.randint(0, 9999)}@mail.example"
        yield Deed(at, "login", login_failed(name, scene.lair(number), HEADLESS))


def _unknown(scene: Scene) -> Iterator[Deed]:
    for number, at in enumerate(scene.times(45, 2400)):
        yield Deed(
            at, "login", login_failed(f"guess{number}", scene.lair(number % 9), HEADLESS, "user_unknown")
        )


def _guessed(scene: Scene) -> Iterator[Deed]:
    """Fifteen wrong passwords, then the right one, then work."""
    person = scene.victim()
    for at in scene.times(15, 240):
        yield Deed(at, "login", login_failed(person.name, scene.lair(), HEADLESS))
    session = scene.session(person, scene.lair(), HEADLESS)
    yield from session.begin(scene.at + 250)
    yield session.call(scene.at + 255, request(scene.chance, "/me", "/me"))


def _bought(scene: Scene) -> Iterator[Deed]:
    """A password from a leak: right at once, from a rented server in another country."""
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    yield from session.begin(scene.at)
    for at in scene.times(6, 300):
        yield session.call(at + 1, request(scene.chance, "/orders", "/orders"))


def _refresh_guessing(scene: Scene) -> Iterator[Deed]:
    who = {
        **scene.lair().fields(),
        **HEADLESS.fields(),
        "event_outcome": "failure",
        "event_reason": "signature_invalid",
    }
    for at in scene.times(16, 300):
        yield Deed(at, "token-refreshed", who)


def _reset_flood(scene: Scene) -> Iterator[Deed]:
    name = scene.victim().name
    for at in scene.times(9, 900):
        yield Deed(at, "otp-sent", {**scene.lair().fields(), "user_name": name})


def _codes(scene: Scene) -> Iterator[Deed]:
    wrong = {"user_name": scene.victim().name, "event_outcome": "failure", "event_reason": "mfa_failed"}
    for at in scene.times(12, 300):
        yield Deed(at, "mfa-verified", {**scene.lair().fields(), **wrong})


def _takeover(scene: Scene) -> Iterator[Deed]:
    person = scene.victim()
    who = {**scene.lair().fields(), **HEADLESS.fields(), "user_id": person.id, "user_name": person.name}
    yield Deed(scene.at, "reset-requested", who)
    yield Deed(scene.at + 200, "factor-added", who)
    yield from scene.session(person, scene.lair(), HEADLESS).begin(scene.at + 300)


def _enumeration(scene: Scene) -> Iterator[Deed]:
    for number, at in enumerate(scene.times(70, 400)):
        fields = {
            **request(scene.chance, "/account/exists", "/account/exists", jwtrail_policy="public"),
            **failed(404),
        }
        yield anonymous(scene.lair(), HEADLESS, {**fields, "user_name": f"name{number}"}, at)


CREDENTIALS = (
    Attack("C1", "Password guessing on one account", ("C1", "C6a", "C6c"), _one_account),
    Attack("C2", "Password guessing from one address", ("C2", "C3"), _one_source),
    Attack("C3", "Password spray", ("C3",), _spray),
    Attack("C4", "Credential stuffing from many addresses", ("C4",), _stuffing),
    Attack("C5", "Names that do not exist", ("C5",), _unknown),
    Attack("C6", "Password guessed", ("C6a", "C6b", "C6c"), _guessed),
    Attack("B8", "A bought password from abroad", ("B8", "B9"), _bought),
    Attack("C7", "Refresh guessing", ("C7",), _refresh_guessing),
    Attack("C8", "Flood of codes", ("C8",), _reset_flood),
    Attack("C9", "Code guessing", ("C9",), _codes),
    Attack("C10", "Account taken over by reset", ("C10",), _takeover),
    Attack("C11", "Which accounts exist", ("C11", "E7"), _enumeration),
)
