"""Groups G to I of the catalogue: those who may, and those who would rather not be seen."""

from collections.abc import Iterator

from msgspec.structs import replace

from jwtrail.simulate.attacks.kit import Attack, Scene, anonymous
from jwtrail.simulate.deed import DAY_S, Deed, failed, request

__all__ = ["INSIDERS"]

HOST = {"service_name": "shop", "host_name": "api-1"}


def _self_grant(scene: Scene) -> Iterator[Deed]:
    clerk = scene.chance.choice(scene.world.of("clerk"))
    yield Deed(scene.at, "role-granted", {**scene.session(clerk).who(), "user_target_id": clerk.id})


def _brief_grant(scene: Scene) -> Iterator[Deed]:
    """A role for an hour, used, and taken back before anybody looks."""
    admin = scene.session(scene.world.of("admin")[0])
    clerk = scene.chance.choice(scene.world.of("clerk"))
    yield Deed(scene.at, "role-granted", {**admin.who(), "user_target_id": clerk.id})
    session = scene.session(clerk)
    yield session.call(scene.at + 600, request(scene.chance, "/admin/users", "/admin/users"))
    yield Deed(scene.at + 2400, "role-removed", {**admin.who(), "user_target_id": clerk.id})


def _broad(scene: Scene) -> Iterator[Deed]:
    who = scene.session(scene.world.of("admin")[1]).who()
    yield Deed(
        scene.at, "token-issued", {**who, "jwt_kind": "access", "jwt_ttl": 31_536_000, "jwt_scope": ("*",)}
    )


def _burst(scene: Scene) -> Iterator[Deed]:
    who = scene.session(scene.world.of("admin")[1]).who()
    single = {name: value for name, value in who.items() if name != "jwt_family"}
    for at in scene.times(35, 300):
        yield Deed(
            at,
            "token-issued",
            {**single, "jwt_kind": "access", "jwt_ttl": 900, "jwt_scope": ("orders:read",)},
        )


def _acting(scene: Scene) -> Iterator[Deed]:
    """A clerk acts as a customer without a ticket."""
    session = scene.session(scene.chance.choice(scene.world.of("clerk")))
    fields = request(scene.chance, "/me", "/me", user_effective_id=scene.victim().id)
    yield session.call(scene.at, fields)


def _acting_much(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.world.of("support")[0])
    for person, at in zip(
        scene.chance.sample(scene.world.of("customer"), 16), scene.times(16, 9000), strict=True
    ):
        yield session.call(
            at, request(scene.chance, "/me", "/me", user_effective_id=person.id, jwtrail_ticket="T-1")
        )


def _dormant(scene: Scene) -> Iterator[Deed]:
    """The account of somebody who left, and that nobody closed."""
    gone = replace(scene.victim(), id=f"left-{scene.number}", name=f"left{scene.number}")
    yield from scene.session(gone).begin(scene.at - 100 * DAY_S)
    session = scene.session(gone)
    yield from session.begin(scene.at)
    yield session.call(scene.at + 5, request(scene.chance, "/me", "/me"))


def _wrong_key(scene: Scene) -> Iterator[Deed]:
    """Somebody exchanged the signing key, and no token that is out there verifies any more."""
    people = scene.chance.sample(scene.world.of("customer"), 40)
    for person, at in zip(people, scene.times(40, 240), strict=True):
        fields = {**request(scene.chance, "/me", "/me"), **failed(401, "kid_unknown")}
        yield anonymous(person.home, person.phone, fields, at)


def _break_glass(scene: Scene) -> Iterator[Deed]:
    yield Deed(scene.at, "login", {**scene.lair().fields(), "user_id": "root", "user_name": "break-glass"})


def _one(action: str, **fields: object) -> "Attack":
    def play(scene: Scene) -> Iterator[Deed]:
        yield Deed(scene.at, action, {**HOST, "user_id": scene.world.of("admin")[1].id, **fields})

    code = {
        "config-changed": "G9",
        "rule-changed": "G10",
        "trail-pruned": "H8",
        "logging-paused": "H10",
        "jwks-changed": "I2",
        "trail-broken": "H1",
    }[action]
    return Attack(code, f"{action} that nobody planned", (code,), play)


INSIDERS = (
    Attack("G1", "A role for oneself", ("G1",), _self_grant),
    Attack("G2", "A role for an hour", ("G2",), _brief_grant),
    Attack("G3", "A token for a year", ("G3",), _broad),
    Attack("G4", "Tokens by the dozen", ("G4",), _burst),
    Attack("G5", "Acting as another without a ticket", ("G5",), _acting),
    Attack("G6", "Acting as everybody", ("G6",), _acting_much),
    Attack("G7", "An account that slept", ("G7",), _dormant),
    Attack("G8", "Emergency account", ("G8",), _break_glass),
    Attack("I4", "No token verifies any more", ("I4",), _wrong_key),
    _one("config-changed"),
    _one("rule-changed"),
    _one("trail-pruned"),
    _one("logging-paused"),
    _one("jwks-changed", jwt_iss="https://shop.example"),
    _one("trail-broken", event_outcome="failure", event_reason="altered"),
)
