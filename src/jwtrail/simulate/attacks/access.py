"""Groups D and F of the catalogue: a good token that asks for what is not its own, or for too much."""

from collections.abc import Iterator

from jwtrail.simulate.attacks.kit import HEADLESS, Attack, Scene, anonymous
from jwtrail.simulate.deed import Deed, failed, request

__all__ = ["ACCESS"]


def _walk(scene: Scene) -> Iterator[Deed]:
    """Counts through the orders of others, which a missing check gives out."""
    session = scene.session(scene.victim())
    yield from session.begin(scene.at - 1)
    first = scene.chance.randint(11_000, 19_000)
    for number, at in enumerate(scene.times(60, 200)):
        one = str(first + number)
        yield session.call(at, request(scene.chance, "/orders/{id}", f"/orders/{one}", jwtrail_object_id=one))


def _stepped(scene: Scene) -> Iterator[Deed]:
    """The same, too slow to be noticed by how much it is."""
    session = scene.session(scene.victim())
    yield from session.begin(scene.at - 1)
    first = scene.chance.randint(11_000, 19_000)
    for number, at in enumerate(scene.times(22, 540)):
        one = str(first - number)
        yield session.call(at, request(scene.chance, "/orders/{id}", f"/orders/{one}", jwtrail_object_id=one))


def _everything(scene: Scene) -> Iterator[Deed]:
    """One filter left out, and the list gives out what everybody ever ordered."""
    session = scene.session(scene.victim())
    fields = request(scene.chance, "/orders", "/orders", query="owner=*")
    yield session.call(scene.at, {**fields, "http_response_bytes": 30_000_000})


def _slowed(scene: Scene) -> Iterator[Deed]:
    """Requests that are cheap to ask and dear to answer, until everybody waits."""
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    for at in scene.times(160, 240):
        fields = request(scene.chance, "/orders/{id}", "/orders/11111", jwtrail_object_id="11111")
        yield session.call(at, {**fields, "event_duration": scene.chance.randint(2, 6) * 1_000_000_000})


def _denied(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim())
    for at in scene.times(12, 400):
        one = str(scene.chance.randint(11_000, 99_000))
        fields = request(scene.chance, "/orders/{id}", f"/orders/{one}", jwtrail_object_id=one)
        yield session.call(at, {**fields, **failed(403, "object_denied")})


def _opened(scene: Scene) -> Iterator[Deed]:
    """Refused, and a little later served: somebody found the way around the check."""
    session = scene.session(scene.victim())
    fields = request(scene.chance, "/orders/{id}", "/orders/777", jwtrail_object_id="777")
    yield session.call(scene.at, {**fields, **failed(403, "object_denied")})
    yield session.call(scene.at + 300, {**fields, "http_request_method": "PUT"})


def _tenant(scene: Scene) -> Iterator[Deed]:
    person = scene.victim()
    other = "birch" if person.tenant != "birch" else "cedar"
    fields = request(
        scene.chance, "/orders/{id}", "/orders/31337", jwtrail_object_id="31337", jwtrail_object_tenant=other
    )
    yield scene.session(person).call(scene.at, fields)


def _admin(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim())
    for number, at in enumerate(scene.times(8, 300)):
        path = f"/admin/{('users', 'keys', 'logs', 'jobs')[number % 4]}"
        yield session.call(at, {**request(scene.chance, path, path), **failed(403, "role_denied")})


def _first_admin(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim())
    yield session.call(scene.at, request(scene.chance, "/admin/users", "/admin/users"))


def _methods(scene: Scene) -> Iterator[Deed]:
    for at, method in zip(
        scene.times(6, 60), ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "LOCK"), strict=True
    ):
        fields = {
            **request(scene.chance, "/products/{id}", "/products/4"),
            **failed(405),
            "http_request_method": method,
        }
        yield anonymous(scene.lair(), HEADLESS, fields, at)


def _override(scene: Scene) -> Iterator[Deed]:
    fields = request(scene.chance, "/orders", "/orders", jwtrail_flags=("method_override",))
    yield scene.session(scene.victim()).call(scene.at, {**fields, "http_request_method": "POST"})


def _scopes(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim())
    for number, at in enumerate(scene.times(9, 300)):
        path = f"/api/part{number}"
        yield session.call(at, {**request(scene.chance, path, path), **failed(403, "scope_insufficient")})


def _open_door(scene: Scene) -> Iterator[Deed]:
    """A route that should want a token answers without one."""
    yield anonymous(scene.lair(), HEADLESS, request(scene.chance, "/invoices", "/invoices"), scene.at)


def _bytes(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim())
    for at in scene.times(30, 2400):
        fields = request(scene.chance, "/files/{id}", "/files/1")
        yield session.call(at, {**fields, "http_response_bytes": 30_000_000})


def _records(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim())
    for at in scene.times(40, 1800):
        yield session.call(at, request(scene.chance, "/customers", "/customers", jwtrail_records=500))


def _exports(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.chance.choice(scene.world.of("clerk")))
    for name, at in zip(
        ("orders", "users", "payments", "prices", "audit"), scene.times(5, 1500), strict=True
    ):
        yield session.call(at, request(scene.chance, f"/{name}/export", f"/{name}/export"))


def _rate(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    for at in scene.times(1500, 100):
        yield session.call(at, request(scene.chance, "/prices", "/prices"))


def _pages(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    for number, at in enumerate(scene.times(180, 800)):
        yield session.call(at, request(scene.chance, "/products", "/products", query=f"page={number}"))


def _slow(scene: Scene) -> Iterator[Deed]:
    """A thousand orders in a day, never fast."""
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    for number, at in enumerate(scene.times(1400, 70_000)):
        if number % 12 == 0:
            yield session.renew(at - 0.01)
        one = str(50_000 + number * 7)
        yield session.call(at, request(scene.chance, "/orders/{id}", f"/orders/{one}", jwtrail_object_id=one))


def _costly(scene: Scene) -> Iterator[Deed]:
    session = scene.session(scene.victim(), scene.lair(), HEADLESS)
    for at in scene.times(60, 400):
        yield session.call(
            at, {**request(scene.chance, "/report", "/report"), "event_duration": 9_000_000_000}
        )


def _accounts(scene: Scene) -> Iterator[Deed]:
    """Twelve accounts take one coupon each, from one device."""
    for person, at in zip(
        scene.chance.sample(scene.world.of("customer"), 12), scene.times(12, 1500), strict=True
    ):
        session = scene.session(person, scene.lair(), HEADLESS)
        yield session.call(at, request(scene.chance, "/coupons/{code}", "/coupons/WELCOME"))


ACCESS = (
    Attack("D1", "Object walk", ("D1",), _walk),
    Attack("D2", "Objects of others, refused", ("D2",), _denied),
    Attack("D3", "Refused, then served", ("D3",), _opened),
    Attack("D4", "Across tenants", ("D4",), _tenant),
    Attack("D5", "Orders one by one", ("D5",), _stepped),
    Attack("D6", "Knocking at admin routes", ("D6",), _admin),
    Attack("D7", "First admin call of a customer", ("D7",), _first_admin),
    Attack("D8", "Sweep of methods", ("D8",), _methods),
    Attack("D8", "Method override", ("D8b",), _override),
    Attack("D9", "Scope probing", ("D9",), _scopes),
    Attack("D11", "A list without its filter", ("D11",), _everything),
    Attack("D13", "Open door", ("D13",), _open_door),
    Attack("F1", "Half a gigabyte", ("F1", "F1b"), _bytes),
    Attack("F2", "Records by the thousand", ("F2",), _records),
    Attack("F3", "Every export there is", ("F3",), _exports),
    Attack("F4", "Flood by one token", ("F4",), _rate),
    Attack("F5", "Page after page", ("F5",), _pages),
    Attack("F6", "Low and slow", ("F6",), _slow),
    Attack("F7", "Costly route", ("F7",), _costly),
    Attack("F8", "Many accounts, one device", ("F8",), _accounts),
    Attack("F10", "A route that is kept busy", ("F10",), _slowed),
)
