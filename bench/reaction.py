"""From the event that completes an attack to the 401 of the next use: the sample shop in four processes, and the daemon.

Each round somebody guesses at a password and finds it (C6a). The clock starts with the answer to the sign-in that
succeeds; its token is then used with every process in turn until each has refused it.
"""

import http.client
import json
import sys
import tempfile
import time
from pathlib import Path

from jwtrail.demo.servers import Server, free_port
from jwtrail.demo.shop_data import open_shop, password_of

WORKERS = 4
ROUNDS = 100
GUESSES = 12
PAUSE_S = 0.002
"""Between two uses of the token: what is measured is the reaction, not how much the shop can take."""
PATIENCE_S = 5.0
"""A token that is still good after this time was missed."""
MOST_S = 60.0
"""No round begins later than this."""

SETTINGS = {
    "JWTRAIL_SERVICE__NAME": "shop",
    "JWTRAIL_TOKENS__ISSUER": "https://shop.example",
    "JWTRAIL_TOKENS__AUDIENCE": "shop-api",
    "JWTRAIL_HTTP__TRUSTED_PROXIES": "127.0.0.1",
}
"""Everything else as it comes."""


class Browser:
    """Kept connections to every process of the shop, and the address that is spoken from."""

    def __init__(self, ports: list[int]) -> None:
        self._shops = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for port in ports]

    def sign_in(self, shop: int, source: str, name: str, password: str) -> str | None:
        body = json.dumps({"username": name, "password": password})
        headers = {"Content-Type": "application/json", "X-Forwarded-For": source}
        status, answer = self._send(shop, "POST", "/login", body, headers)
        return json.loads(answer)["access_token"] if status == 200 else None

    def use(self, shop: int, source: str, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": source}
        return self._send(shop, "GET", "/me", None, headers)[0]

    def _send(
        self, shop: int, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        self._shops[shop].request(method, path, body, headers)
        answer = self._shops[shop].getresponse()
        return answer.status, answer.read()


def run(calls: int) -> None:
    rounds = ROUNDS * max(calls, 1000) // 2000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        open_shop(root / "shop.db", rounds)
        ports = [free_port(0) for _ in range(WORKERS)]
        servers = [_daemon(root), *(_shop(port, root) for port in ports)]
        try:
            for server in servers:
                server.start()
            for server, port in zip(servers[1:], ports, strict=True):
                server.wait_ready(port)
            servers[0].found.wait(30)
            found = measured(Browser(ports), rounds)
        finally:
            for server in reversed(servers):
                server.stop()
    _show(found)


def measured(browser: Browser, rounds: int) -> list[list[float]]:
    """For each round the seconds until each process refused the token; infinite where one never did."""
    found = []
    ends = time.perf_counter() + MOST_S
    for number in range(rounds):
        if time.perf_counter() > ends:
            break
        name, source = f"user{number:02d}", f"198.51.100.{number + 1}"
        for guess in range(GUESSES):
            browser.sign_in((number + guess) % WORKERS, source, name, f"winter{2015 + guess}")
        token = browser.sign_in(number % WORKERS, source, name, password_of(name))
        assert token is not None, "the shop signs nobody in"
        found.append(_refused(browser, source, token))
    return found


def _refused(browser: Browser, source: str, token: str) -> list[float]:
    began = time.perf_counter()
    waiting = list(range(WORKERS))
    seconds = [float("inf")] * WORKERS
    while waiting and time.perf_counter() < began + PATIENCE_S:
        for shop in tuple(waiting):
            if browser.use(shop, source, token) == 401:
                seconds[shop] = time.perf_counter() - began
                waiting.remove(shop)
        time.sleep(PAUSE_S)
    return seconds


def _daemon(data: Path) -> Server:
    command = [sys.executable, "-m", "jwtrail", "serve", "--data", str(data), "--port", "0"]
    env = SETTINGS | {"PYTHONUNBUFFERED": "1"}
    return Server("the daemon", command, env, data / "daemon.log", watch="/login?key=")


def _shop(port: int, data: Path) -> Server:
    command = [sys.executable, "-m", "uvicorn", "jwtrail.demo.shop:app", "--port", str(port)]
    quiet = ["--no-access-log", "--log-level", "warning", "--no-proxy-headers"]
    env = SETTINGS | {"JWTRAIL_DATA": str(data)}
    return Server(f"shop {port}", command + quiet, env, data / f"shop-{port}.log")


def _show(found: list[list[float]]) -> None:
    print(f"\nreaction, {len(found)} sign-ins with a guessed password, {WORKERS} processes and the daemon")
    for title, values in (
        ("401 of one process", [seconds for one in found for seconds in one]),
        ("401 of all of them", [max(one) for one in found]),
    ):
        p50, p95, p99 = (_rank(values, percent) * 1000 for percent in (50, 95, 99))
        most = max(values) * 1000
        print(f"  {title:<34}p50 {p50:5.1f}  p95 {p95:5.1f}  p99 {p99:5.1f}  max {most:5.1f} ms")
    missed = sum(max(one) == float("inf") for one in found)
    print(f"  never refused                     {missed}")


def _rank(values: list[float], percent: int) -> float:
    return sorted(values)[-(-percent * len(values) // 100) - 1]
