"""Six attackers, one for each kind of attack the demo shows. Each tells when its decisive request left and when it was first refused."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from jwtrail import clock
from jwtrail.demo.people import Client

__all__ = ["ATTACKS", "Attack", "Outcome"]

PERSISTENCE_S = 30.0
"""How long an attacker goes on after the decisive request, hoping nobody noticed."""


class Outcome(Struct, frozen=True):
    """What an attacker saw. Times are µs since the epoch, None when it never came to that.

    Args:
        decisive_us: when the request that completes the attack, as far as the attacker knows, was sent.
        refused_us: when the first refusal afterwards arrived.
        status: of that refusal.
    """

    decisive_us: int | None
    refused_us: int | None = None
    status: int | None = None


class Attack(Struct, frozen=True):
    """One attacker: the rules of which any names it, and what it does.

    Args:
        source: address of the attacker.
        token: the answer must be a dead token (401), not a throttle.
    """

    id: str
    title: str
    rules: tuple[str, ...]
    source: str
    token: bool
    play: Callable[[Client, random.Random], Awaitable[Outcome]]


async def unsigned_token(client: Client, _chance: random.Random) -> Outcome:
    """Signs a token with nothing at all and calls itself admin."""
    forged = f"{_part({'alg': 'nOnE', 'typ': 'at+jwt'})}.{_part({'sub': 'admin', 'scope': 'admin', 'exp': 9_999_999_999})}."
    decisive = clock.now_us()
    await client.send("GET", "/admin/people", token=forged)
    # A forged token is a 401 from the first use on; what proves the answer is that now nothing of this source passes.
    return await _until_refused(decisive, lambda: client.send("GET", "/products"))


async def signature_guessing(client: Client, chance: random.Random) -> Outcome:
    """Keeps the claims of a real token and tries one signature after the other."""
    pair = await client.login("user03")
    if pair is None:
        return Outcome(None)
    head, body, signature = pair["access_token"].split(".")
    decisive = 0
    for _ in range(22):
        decisive = clock.now_us()
        guess = base64.urlsafe_b64encode(chance.randbytes(len(signature) * 3 // 4)).rstrip(b"=").decode()
        await client.send("GET", "/me", token=f"{head}.{body}.{guess}")
    return await _until_refused(decisive, lambda: client.send("GET", "/products"))


async def refresh_reuse(client: Client, _chance: random.Random) -> Outcome:
    """Has copied a refresh token; its owner has long exchanged it when the thief tries."""
    owner = Client(client._http, client._ledger, "198.51.100.77", "ShopApp/4.2 (Android 16)")  # noqa: SLF001
    pair = await owner.login("user04")
    if pair is None:
        return Outcome(None)
    stolen = pair["refresh_token"]
    answer = await owner.send("POST", "/token/refresh", data={"refresh_token": stolen})
    if answer is None or answer.status_code != 200:
        return Outcome(None)
    newest = answer.json()["access_token"]
    await asyncio.sleep(0.3)
    decisive = clock.now_us()
    await client.send("POST", "/token/refresh", data={"refresh_token": stolen})
    return await _until_refused(decisive, lambda: owner.send("GET", "/me", token=newest))


async def failures_then_success(client: Client, _chance: random.Random) -> Outcome:
    """Guesses a password, and finds it."""
    for number in range(12):
        await client.login("user05", f"winter{2015 + number}")
    decisive = clock.now_us()
    pair = await client.login("user05")
    if pair is None:
        return Outcome(None)
    return await _until_refused(decisive, lambda: client.send("GET", "/orders", token=pair["access_token"]))


async def object_walk(client: Client, chance: random.Random) -> Outcome:
    """Counts through other people's invoices with a token of its own."""
    pair = await client.login("user06")
    if pair is None:
        return Outcome(None)
    number = chance.randint(5000, 5800)
    decisive = 0
    for step in range(30):
        decisive = clock.now_us()
        await client.send("GET", f"/invoices/{number + step}", token=pair["access_token"])
    return await _until_refused(
        decisive, lambda: client.send("GET", f"/invoices/{number + 31}", token=pair["access_token"])
    )


async def path_discovery(client: Client, chance: random.Random) -> Outcome:
    """Tries the names that somebody else forgot to remove."""
    words = [
        "backup",
        "old",
        "test",
        "dev",
        "api",
        "v2",
        "internal",
        "debug",
        "console",
        "dump",
        "db",
        "private",
        "tmp",
        "hidden",
    ]
    words += ["config", "staging"]
    decisive = 0
    for word in words[:15]:
        decisive = clock.now_us()
        await client.send("GET", f"/{word}/{chance.randint(1, 99)}")
    return await _until_refused(decisive, lambda: client.send("GET", f"/{words[15]}/"))


async def _until_refused(decisive_us: int, again: Callable[[], Awaitable[Any]]) -> Outcome:
    deadline = decisive_us + int(PERSISTENCE_S * 1_000_000)
    while clock.now_us() < deadline:
        response = await again()
        if response is not None and response.status_code in (401, 429):
            return Outcome(decisive_us, clock.now_us(), response.status_code)
        await asyncio.sleep(0.01)
    return Outcome(decisive_us)


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


ATTACKS = (
    Attack("A1", "Unsigned token", ("A1",), "192.0.2.66", False, unsigned_token),
    Attack("A4", "Signature guessing", ("A4",), "192.0.2.67", False, signature_guessing),
    Attack("B2", "Refresh token reused", ("B2",), "192.0.2.68", True, refresh_reuse),
    Attack("C6", "Password guessed", ("C6a", "C6b"), "192.0.2.69", True, failures_then_success),
    Attack("D1", "Object walk", ("D1",), "192.0.2.70", True, object_walk),
    Attack("E6", "Path discovery", ("E6",), "192.0.2.71", False, path_discovery),
)
