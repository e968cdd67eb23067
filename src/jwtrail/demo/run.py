"""`jwtrail demo`: start everything, play the day and the attacks, show what the product did about them."""

import asyncio
import contextlib
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import httpx2
import msgspec
from msgspec import Struct

from jwtrail import clock, config
from jwtrail.demo import summary
from jwtrail.demo.attackers import ATTACKS, Attack, Outcome
from jwtrail.demo.people import BROWSERS, Client, Ledger, live
from jwtrail.demo.servers import Server, free_port, serve_daemon, serve_shop
from jwtrail.demo.shop_data import open_shop
from jwtrail.errors import JwtrailError, ServeError

__all__ = ["Options", "main"]

HEADLESS_S = 20.0
FIRST_ATTACK_S = 2.0
BETWEEN_ATTACKS_S = 1.2
ANSWER_S = 60.0
"""After so long a request counts as unanswered; a busy machine is slower than the shop is."""


class Options(Struct, frozen=True, kw_only=True):
    """How the demo runs.

    Args:
        duration: seconds of traffic; None goes on until Ctrl+C.
        headless: no running line; lasts 20 s unless `duration` says otherwise.
        as_json: print the summary as one JSON document.
        data: keep the data here instead of in a temporary directory.
        workers: worker processes of the shop.
        port: of the shop; another is chosen when it is taken.
        console_port: of the console; another is chosen when it is taken.
        seed: of everything random.
        users: people.
    """

    duration: float | None = None
    headless: bool = False
    as_json: bool = False
    data: Path | None = None
    workers: int = 2
    port: int = 8000
    console_port: int = 7070
    seed: int = 7
    users: int = 50


def main(**options: Any) -> int:
    """Run the demo; see `Options`.

    Returns:
        0 when every attack was found and nothing was lost, 3 when an attack was missed, 5 when the trail is broken or incomplete.
    """
    chosen = Options(**options)
    data = chosen.data
    root = (
        data.expanduser().absolute() if data is not None else Path(tempfile.mkdtemp(prefix="jwtrail-demo-"))
    )
    demo = _Demo(root, chosen)
    try:
        try:
            demo.start()
            demo.play(chosen.duration if chosen.duration or not chosen.headless else HEADLESS_S)
        finally:
            demo.stop()
        result = summary.of(root, demo.ledger, demo.outcomes, demo.restarts, demo.seconds)
    finally:
        if data is None:
            shutil.rmtree(root, ignore_errors=True)
    if chosen.as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        summary.show(result)
    return summary.exit_code(result)


class _Demo:
    def __init__(self, root: Path, options: Options) -> None:
        self.root = root
        self.ledger = Ledger()
        self.outcomes: dict[str, Outcome] = {}
        self.seconds = 0.0
        self._port = free_port(options.port)
        self._console_port = free_port(options.console_port)
        self._seed = options.seed
        self._users = options.users
        self._workers = options.workers
        self._quiet = options.headless or options.as_json
        self._servers: list[Server] = []

    @property
    def restarts(self) -> int:
        return sum(server.restarts for server in self._servers)

    def start(self) -> None:
        logs = self.root / "logs"
        if (self.root / "manifest.json").exists() or (self.root / "wal").exists():
            raise ServeError(
                "there is a trail already",
                where=str(self.root),
                hint="name an empty directory, or look at this one: jwtrail serve --data",
            )
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            logs.mkdir(mode=0o700, exist_ok=True)
            open_shop(self.root / "shop.db", self._users)
        except OSError as error:
            raise ServeError(
                f"cannot write to the data directory: {error.strerror}", where=str(self.root)
            ) from error
        # The daemon first: it makes the keys of the log; the shop's workers make the keys of the tokens, under a lock.
        daemon = serve_daemon(self._console_port, self.root, logs)
        shop = serve_shop(self._port, self.root, self._workers, logs)
        self._servers = [shop, daemon]
        for server in (daemon, shop):
            server.start()
        daemon.wait_ready(self._console_port)
        shop.wait_ready(self._port)
        if not self._quiet:
            daemon.found.wait(5)
            click.echo(f"console  {daemon.line or f'http://127.0.0.1:{self._console_port}/'}", err=True)
            click.echo(f"shop     http://127.0.0.1:{self._port}/docs", err=True)
            click.echo(f"data     {self.root}", err=True)

    def play(self, duration: float | None) -> None:
        began = clock.monotonic_ns()
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._play(duration))
        self.seconds = (clock.monotonic_ns() - began) / 1e9

    def stop(self) -> None:
        """The shop first, so that the daemon still sees its last events."""
        for server in self._servers:
            server.stop()

    async def _play(self, duration: float | None) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
        chance = random.Random(self._seed)  # noqa: S311  # repeatable, not secret
        limits = httpx2.Limits(max_connections=self._users + 20)
        base = f"http://127.0.0.1:{self._port}"
        async with httpx2.AsyncClient(
            base_url=base, limits=limits, timeout=ANSWER_S, trust_env=False
        ) as http:
            tasks = [
                asyncio.create_task(self._person(http, number, chance.random(), stop))
                for number in range(self._users)
            ]
            tasks.append(asyncio.create_task(self._attacks(http, stop)))
            ticker = asyncio.create_task(self._tick(stop))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), duration)
            stop.set()
            await asyncio.gather(*tasks, ticker)

    async def _person(self, http: httpx2.AsyncClient, number: int, seed: float, stop: asyncio.Event) -> None:
        client = Client(http, self.ledger, f"203.0.113.{number % 250 + 1}", BROWSERS[number % len(BROWSERS)])
        await live(f"user{number:02d}", client, random.Random(seed), stop)  # noqa: S311

    async def _attacks(self, http: httpx2.AsyncClient, stop: asyncio.Event) -> None:
        async def play(number: int, attack: Attack) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FIRST_ATTACK_S + number * BETWEEN_ATTACKS_S)
                return
            client = Client(http, self.ledger, attack.source, "python-requests/2.34")
            chance = random.Random(self._seed * 100 + number)  # noqa: S311
            self.outcomes[attack.id] = await attack.play(client, chance)

        await asyncio.gather(*(play(number, attack) for number, attack in enumerate(ATTACKS)))

    async def _tick(self, stop: asyncio.Event) -> None:
        """One running line on a terminal; nothing when nobody looks."""
        if self._quiet or not sys.stderr.isatty():
            return
        settings = config.load({"data": str(self.root)}).settings
        facts = summary.Facts(settings.root)
        while not stop.is_set():
            with contextlib.suppress(JwtrailError):
                line = await asyncio.to_thread(facts.line, self.ledger)
                click.echo(f"\r\x1b[2K{line}", nl=False, err=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.5)
        click.echo("", err=True)
