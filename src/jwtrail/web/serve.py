"""`jwtrail serve`: the daemon of one data directory and, on top of it, the console."""

import asyncio
import base64
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self
from urllib.parse import urlsplit

import uvicorn

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.detect.alert import Alert
from jwtrail.detect.ruleset import MAX_FILE, RuleSet, packaged_texts
from jwtrail.errors import ServeError
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.explain import explain
from jwtrail.runtime.metrics import Gauges, Metrics
from jwtrail.tokens.ends import end_of
from jwtrail.trail.publish import resource
from jwtrail.web import alerts
from jwtrail.web.app import build
from jwtrail.web.live import Live
from jwtrail.web.proofs import prover
from jwtrail.web.rules import rules_page
from jwtrail.web.security import SignIns
from jwtrail.web.services import Facts, Services
from jwtrail.web.settings import LOOPBACK_NAMES, WebSettings
from jwtrail.web.shapes import DetectorStatus, RulesPage, TrailState, TrailStatus

__all__ = ["listen", "serve", "web_settings"]

GRACE_S = 2
"""How long requests may still take when the daemon is told to stop, seconds."""

BACKLOG = 128


def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM; then let nothing be lost.

    Raises:
        ServeError: the address is not of this machine alone, or taken.
        LockedError: another daemon holds the data directory.
        ConfigError, IntegrityError, WriteError: see `Daemon`.
    """
    with _Ending() as ending:
        _serve(settings, ending)


class _Ending:
    """SIGTERM and Ctrl+C, from the first moment on, are only noted: an exception in the middle of giving an index to an event would
    leave half of that done, and `close` would go on from there. uvicorn takes both while it runs, and raises them again.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[int] = SimpleQueue()  # may be put into by a handler while it is being read
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, lambda number, _: self._told.put(number))
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def asked(self) -> bool:
        """Whether somebody wants an end."""
        return not self._told.empty()

    def wait(self) -> None:
        """Until somebody does."""
        self._told.put(self._told.get())


def _serve(settings: Settings, ending: _Ending) -> None:
    live = Live()
    listening = listen(settings.serve.host, settings.serve.port) if settings.serve.console else None
    try:
        daemon = Daemon(settings, on_events=live.events.publish, on_alerts=_publisher(live))
    except BaseException:
        if listening is not None:
            listening.close()
        raise
    try:
        daemon.start()
        if listening is None:
            ending.wait()
        else:
            _run_console(settings, daemon, live, listening, ending)
    finally:
        daemon.close()


def loopback(host: str) -> str:
    """The address that a setting `serve.host` names.

    Raises:
        ServeError: it is reachable from elsewhere, or unknown.
    """
    address = "127.0.0.1" if host == "localhost" else host
    try:
        is_local = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ServeError(
            f"the console is for this machine only; {host!r} is not a loopback address",
            where="serve.host",
            hint="use 127.0.0.1 and an SSH tunnel or a proxy with sign-in of its own",
        )
    return address


def listen(host: str, port: int) -> socket.socket:
    """A socket on a loopback address.

    Raises:
        ServeError: the address is reachable from elsewhere, unknown, or taken.
    """
    address = loopback(host)
    # TCP is named because asyncio sets TCP_NODELAY only where it is; without, every answer waits 40 ms.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        why = "taken" if error.errno == errno.EADDRINUSE else f"not to be had: {error.strerror}"
        raise ServeError(
            f"port {port} is {why}",
            where=f"{host}:{port}",
            hint="choose another with --port, or --port 0 for any",
        ) from error
    return made


def web_settings(settings: Settings, port: int) -> WebSettings:
    """The console's settings; `public_url` says how people reach it through a proxy."""
    public = urlsplit(settings.serve.public_url)
    names = {public.hostname} if public.hostname else set()
    return WebSettings(
        host=settings.serve.host,
        port=port,
        root_path=public.path.rstrip("/"),
        hosts=LOOPBACK_NAMES | names,
        https=public.scheme == "https",
        kibana_url=settings.serve.kibana_url,
        public_log=settings.serve.public_log,
        public_metrics=settings.serve.public_metrics,
    )


def _run_console(
    settings: Settings, daemon: Daemon, live: Live, listening: socket.socket, ending: _Ending
) -> None:
    web = web_settings(settings, listening.getsockname()[1])
    sign_ins = SignIns(web)
    app = build(_services(daemon, live), web, sign_ins)
    host = f"[{web.host}]" if ":" in web.host else web.host
    base = settings.serve.public_url.rstrip("/") or f"http://{host}:{web.port}"

    def print_link() -> None:
        minutes = web.key_ttl_s // 60
        sys.stderr.write(f"console (sign-in link, works once, {minutes} minutes):\n")
        sys.stdout.write(f"{base}/login?key={sign_ins.new_key()}\n")
        sys.stdout.flush()

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
    )
    _Server(config, live, print_link, ending).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Prints the link when it answers, again on Enter or SIGUSR1, and ends the streams before it waits for them."""

    def __init__(
        self, config: uvicorn.Config, live: Live, print_link: Callable[[], None], ending: _Ending
    ) -> None:
        super().__init__(config)
        self._ending = ending
        self._live = live
        self._print_link = print_link

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self._ending.asked():  # before uvicorn took the signals
            self.should_exit = True
            return
        self._print_link()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._print_link)
        if sys.stdin is not None and sys.stdin.isatty():
            sys.stderr.write("Enter prints a fresh link, Ctrl+C ends.\n")
            threading.Thread(target=self._on_enter, name="jwtrail-links", daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._live.close()
        await super().shutdown(sockets=sockets)

    def _on_enter(self) -> None:
        while sys.stdin.readline():
            self._print_link()


def _services(daemon: Daemon, live: Live) -> Services:
    return Services(
        store=daemon.store,
        state=daemon.state,
        explain=lambda event_id: explain(daemon.store, daemon.reader, daemon.rules, event_id),
        prove=prover(daemon.reader, daemon.store),
        facts=lambda: _facts(daemon),
        rules=_rules(daemon),
        record=daemon.record,
        ends=partial(end_of, daemon.state, daemon.settings.tokens),
        log=partial(resource, daemon.reader),
        metrics=Metrics(daemon.meter, lambda: _gauges(daemon)).page,
        live=live,
    )


def _rules(daemon: Daemon) -> Callable[[], RulesPage]:
    """The page of the rules in use, made again when the daemon has taken others."""
    made = daemon.rules, rules_page(daemon.rules, _texts(daemon.rules))

    def page() -> RulesPage:
        nonlocal made
        rules = daemon.rules
        if made[0] is not rules:
            made = rules, rules_page(rules, _texts(rules))
        return made[1]

    return page


def _publisher(live: Live) -> Callable[[Sequence[Alert]], None]:
    def publish(new: Sequence[Alert]) -> None:
        now = clock.now_us()
        live.alerts.publish([alerts.made(alert, lag_ms=max(0, now - alert.at_us) // 1000) for alert in new])

    return publish


def _facts(daemon: Daemon) -> Facts:
    stats = daemon.detector.stats()
    return Facts(
        service=daemon.settings.service.name,
        size=daemon.keeper.size,
        segments=len(daemon.keeper.segments),
        started_us=daemon.started_us,
        events_per_minute=daemon.events_per_minute(),
        trail=_trail(daemon),
        detector=DetectorStatus(rules=stats.rules, refused=len(daemon.rules.refused), lag_ms=daemon.lag_ms),
    )


def _trail(daemon: Daemon) -> TrailStatus:
    audit, signed = daemon.auditor.last, daemon.keeper.checkpoint
    states: dict[bool | None, TrailState] = {True: "intact", False: "broken", None: "unverified"}
    state = "broken" if daemon.failure else states[audit.ok]
    vkey = str(daemon.reader.vkey())
    return TrailStatus(
        state=state,
        size=signed.size,
        root=base64.b64encode(signed.root).decode(),
        signed_us=_signed_us(daemon.layout.checkpoint),
        origin=signed.origin,
        vkey=vkey,
        verified_us=audit.at_us or None,
        detail=daemon.failure or audit.detail,
    )


def _gauges(daemon: Daemon) -> Gauges:
    audit = daemon.auditor.last
    return Gauges(
        size=daemon.keeper.size,
        intact=False if daemon.failure else audit.ok,
        verified_us=audit.at_us,
        disk=daemon.disk.room,
        witness=daemon.witnessing.state,
        ships={
            _target(url): (at.lag, at.sent, at.refused, at.retries)
            for url, at in daemon.shipping.progress().items()
        },
    )


def _target(url: str) -> str:
    """Scheme and host of an address: a path may hold a secret of whoever receives there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}"


def _signed_us(checkpoint: Path) -> int | None:
    """When the checkpoint was written: the note itself holds no time."""
    try:
        return checkpoint.stat().st_mtime_ns // 1000
    except OSError:
        return None


def _texts(ruleset: RuleSet) -> dict[str, str]:
    """The rule files as they are written, so that people can read them."""
    texts = dict(packaged_texts())
    for name in {meta.file for meta in ruleset.metas()} - texts.keys():
        with contextlib.suppress(OSError, UnicodeDecodeError), Path(name).open("rb") as file:
            texts[name] = file.read(MAX_FILE).decode()
    return texts
