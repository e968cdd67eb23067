"""Fifty people living a normal day at the shop, a little faster than in life."""

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any

import httpx2

from jwtrail import clock
from jwtrail.demo.shop_data import password_of
from jwtrail.ecs import uuid7

__all__ = ["Client", "Ledger", "live"]

BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/141.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_5) Safari/605.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/156.0",
    "ShopApp/4.2 (iPhone; iOS 19.1)",
    "ShopApp/4.2 (Android 16)",
)


class Ledger:
    """Every request that was sent and what came back: what the trail is compared with at the end."""

    def __init__(self) -> None:
        self.sent_us: dict[str, int] = {}
        self.answered: dict[str, int] = {}
        self.unanswered: set[str] = set()
        self.statuses: Counter[int] = Counter()

    @property
    def sent(self) -> int:
        """Requests that left."""
        return len(self.sent_us)


class Client:
    """One person's or attacker's HTTP client: an address, a browser, and the ledger it writes to."""

    def __init__(self, http: httpx2.AsyncClient, ledger: Ledger, address: str, agent: str) -> None:
        self._http = http
        self._ledger = ledger
        self._headers = {"X-Forwarded-For": address, "User-Agent": agent}
        self.address = address

    async def send(
        self, method: str, path: str, *, token: str | None = None, **more: Any
    ) -> httpx2.Response | None:
        """Send one request; None when the server went away before it answered."""
        request_id = uuid7()
        headers = self._headers | {"X-Request-ID": request_id}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._ledger.sent_us[request_id] = clock.now_us()
        try:
            response = await self._http.request(method, path, headers=headers, **more)
        except httpx2.TransportError:
            self._ledger.unanswered.add(request_id)
            return None
        self._ledger.answered[request_id] = response.status_code
        self._ledger.statuses[response.status_code] += 1
        return response

    async def login(self, name: str, password: str | None = None) -> dict[str, Any] | None:
        """Sign in; the token pair, or None."""
        body = {"username": name, "password": password if password is not None else password_of(name)}
        response = await self.send("POST", "/login", json=body)
        return response.json() if response is not None and response.status_code == 200 else None


async def live(name: str, client: Client, chance: random.Random, stop: asyncio.Event) -> None:
    """Days of one person, one after the other, until `stop`."""
    await _pause(stop, chance.uniform(0, 3))
    while not stop.is_set():
        if chance.random() < 0.15:  # a mistyped password now and then
            await client.login(name, "hunter2")
            await _pause(stop, chance.uniform(0.3, 1))
        pair = await client.login(name)
        if pair is None:
            await _pause(stop, 1)
            continue
        await _day(client, pair, chance, stop)
        await _pause(stop, chance.uniform(0.5, 3))


async def _day(client: Client, pair: dict[str, Any], chance: random.Random, stop: asyncio.Event) -> None:
    for step in range(chance.randint(8, 30)):
        if stop.is_set():
            return
        token = pair["access_token"]
        deed = chance.random()
        if deed < 0.35:
            await client.send("GET", f"/products/{chance.randint(1, 40)}")
        elif deed < 0.55:
            await client.send("GET", "/products", params={"page": chance.randint(1, 4)})
        elif deed < 0.7:
            await client.send("GET", "/orders", token=token)
        elif deed < 0.85:
            await client.send(
                "POST", "/orders", token=token, json={"product": chance.randint(1, 40), "amount": 1}
            )
        elif deed < 0.95:
            await _read_invoice(client, token, chance)
        else:  # an honest mistake: a dead link, a forgotten sign-in, somebody else's order
            path, sent = chance.choice(
                [("/product/7", token), ("/me", None), (f"/orders/{chance.randint(1, 2)}", token)]
            )
            await client.send("GET", path, token=sent)
        if step % 10 == 9:
            answer = await client.send(
                "POST", "/token/refresh", data={"refresh_token": pair["refresh_token"]}
            )
            if answer is None or answer.status_code != 200:
                return
            pair = answer.json()
        await _pause(stop, chance.uniform(0.3, 1.2))
    await client.send("POST", "/logout", token=pair["access_token"])


async def _read_invoice(client: Client, token: str, chance: random.Random) -> None:
    answer = await client.send("GET", "/invoices", token=token)
    if answer is not None and answer.status_code == 200 and (mine := answer.json()):
        await client.send("GET", f"/invoices/{chance.choice(mine[:5])}", token=token)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
