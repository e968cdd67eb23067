"""An issuer with its ring, state and verifier, at a time that tests may move."""

from contextlib import contextmanager
from types import SimpleNamespace

from tokens_forge import NOW_US

from jwtrail.state import StateStore
from jwtrail.tokens import Issuer, KeyRing, TokenSettings, Verifier


@contextmanager
def open_shop(directory, algorithm="EdDSA", **settings):
    """`now_us` is the clock; `at(seconds)` moves it."""
    shop = SimpleNamespace(
        now_us=NOW_US, settings=TokenSettings(algorithm=algorithm, **settings), dir=directory
    )
    shop.at = lambda seconds: setattr(shop, "now_us", NOW_US + int(seconds * 1_000_000))
    shop.ring = KeyRing(directory / "keys", algorithm=algorithm, clock=lambda: shop.now_us)
    shop.ring.ensure()
    shop.verifier = Verifier(shop.settings.access_policy(), shop.ring)
    with StateStore(directory / "state.db") as shop.store:
        shop.issuer = Issuer(shop.settings, shop.ring, shop.store, clock=lambda: shop.now_us)
        yield shop
