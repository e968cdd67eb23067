"""Shipping, wired: sinks by their addresses, and what `jwtrail serve` ships in threads of its own."""

import logging
import threading
from collections.abc import Callable
from importlib import import_module

from jwtrail import plugins
from jwtrail.config import Settings
from jwtrail.elastic.address import is_engine_url
from jwtrail.elastic.client import connect
from jwtrail.errors import ConfigError, JwtrailError, LockedError
from jwtrail.ship.bulk import BulkSink
from jwtrail.ship.compare import Compared, Comparison
from jwtrail.ship.home import Home, homes, name_of
from jwtrail.ship.logcopy import LogCopy
from jwtrail.ship.rebuild import Rebuilt, rebuilt
from jwtrail.ship.shipped import ShippedDocuments
from jwtrail.ship.shipper import Progress, Shipper
from jwtrail.ship.sink import Sink, shown_address
from jwtrail.tlog.checkpoint import Checkpoint
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader

__all__ = [
    "OURS",
    "Shipping",
    "compare",
    "compare_with_log",
    "engines_shipped_to",
    "open_sink",
    "rebuild",
    "ship_to",
]

_log = logging.getLogger("jwtrail.ship")

RETRY_S = 10.0
"""After an error that ended a run: a missing template, a damaged file, a directory that cannot be written."""

OURS: dict[str, str] = {
    "file": "jwtrail.ship.files:file_sink",
    "syslog": "jwtrail.ship.syslog:syslog_sink",
    "syslog+tcp": "jwtrail.ship.syslog:syslog_sink",
    "syslog+tls": "jwtrail.ship.syslog:syslog_sink",
    "cef": "jwtrail.ship.syslog:cef_sink",
    "cef+tcp": "jwtrail.ship.syslog:cef_sink",
    "cef+tls": "jwtrail.ship.syslog:cef_sink",
    "webhook+http": "jwtrail.runtime.webhooksink:webhook_sink",
    "webhook+https": "jwtrail.runtime.webhooksink:webhook_sink",
}
"""Sinks by scheme beside the engines. Other packages add theirs by entry point."""


def open_sink(url: str, settings: Settings) -> Sink:
    """The sink of an address.

    Raises:
        ConfigError: no sink has this scheme, or the address is not right.
        EngineError: what answers there is no engine, or refuses us.
    """
    if is_engine_url(url):
        engine = connect(url, settings.engine)
        return BulkSink(engine, settings.engine.namespace, settings.ship.parallel)
    scheme, mark, _ = url.partition("://")
    if not mark:
        raise ConfigError(
            "no address of a sink",
            where=shown_address(url),
            hint="opensearch://host:9200, file:///var/log/events.ndjson …",
        )
    if scheme in OURS:
        module, _, name = OURS[scheme].partition(":")
        factory = getattr(import_module(module), name)
    else:
        factory = plugins.load(plugins.SINKS, scheme, "ship.to")
    made: Sink = factory(url, settings.ship.secret)
    return made


def ship_to(
    url: str,
    settings: Settings,
    *,
    name: str | None = None,
    work: Callable[[Shipper], None],
) -> None:
    """Do something with the shipper of one target, and let go of everything afterwards.

    Args:
        name: under which its position is kept; made from the address if None.

    Raises:
        JwtrailError: the sink, the trail or what is remembered is not right.
    """
    layout = Layout(settings.root)
    sink = open_sink(url, settings)
    try:
        with Home(layout.ship, name or name_of(sink.name)) as home:
            shipper = Shipper(layout, sink, home, settings.ship, sink.open())
            try:
                work(shipper)
            finally:
                shipper.close()
    finally:
        sink.close()


class Shipping:
    """Ships to every address of `ship.to`, each in a thread, until closed. A target that fails is tried again.

    Args:
        settings: see `config.Settings`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, Shipper] = {}
        self._failures: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=self._follow, args=(url,), name="jwtrail-shipping", daemon=True)
            for url in settings.ship.to
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let what is in the air land, then stop. Idempotent."""
        self._stop.set()
        with self._lock:
            for shipper in self._running.values():
                shipper.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=30)

    def progress(self) -> dict[str, Progress]:
        """How it goes, by address."""
        with self._lock:
            found = {url: shipper.progress() for url, shipper in self._running.items()}
            broken = {url: Progress(failure=text) for url, text in self._failures.items()}
        return {**broken, **found}

    def _follow(self, url: str) -> None:
        while not self._stop.is_set():
            try:
                ship_to(url, self._settings, work=lambda shipper: self._run(url, shipper))
            except JwtrailError as error:
                self._failed(url, str(error), quiet=isinstance(error, LockedError))
            except Exception as error:  # noqa: BLE001  # a thread must not end in silence
                _log.exception("shipping failed; trying again")
                self._failed(url, f"{type(error).__name__}: {error}", quiet=True)
            self._stop.wait(RETRY_S)

    def _run(self, url: str, shipper: Shipper) -> None:
        with self._lock:
            self._running[url] = shipper
            self._failures.pop(url, None)
        try:
            if not self._stop.is_set():
                shipper.run()
        finally:
            with self._lock:
                del self._running[url]

    def _failed(self, url: str, text: str, *, quiet: bool) -> None:
        with self._lock:
            known = self._failures.get(url)
            self._failures[url] = text
        if known != text and not quiet:
            _log.warning("not shipping to %s: %s", shown_address(url), text)


def engines_shipped_to(layout: Layout) -> list[Home]:
    """The targets whose documents can be rewritten when a person is erased; what others were sent is out of reach.

    Raises:
        CorruptionError: a position is damaged.
    """
    known = [(home, home.cursor()) for home in homes(layout.ship)]
    return [home for home, cursor in known if cursor is not None and is_engine_url(cursor.target)]


def compare(
    settings: Settings,
    url: str,
    *,
    first: int = 0,
    last: int | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Compared:
    """Compare what was shipped to an engine with the trail.

    Args:
        last: the last index; up to where it was shipped if None, or the whole trail if nothing says so.
        tell: called with (indexes compared, indexes to compare).

    Raises:
        ConfigError: no address of an engine, or indexes that are none.
        EngineError: the engine cannot be asked.
        CorruptionError: the trail cannot be read.
    """
    layout = Layout(settings.root)
    reader = TrailReader(layout)
    with connect(url, settings.engine) as engine:
        target = f"{engine.address}#{settings.engine.namespace}"
        known = [
            (home, cursor.next)
            for home in homes(layout.ship)
            if (cursor := home.cursor()) and cursor.target == target
        ]
        size = reader.size
        shipped = min(size, max((reached for _, reached in known), default=size))
        end = shipped - 1 if last is None else last
        if first < 0 or end >= size:
            raise ConfigError(
                f"the trail has no indexes from {first} to {end}", hint=f"it has {size:,} events"
            )
        refused = frozenset(one.sequence for home, _ in known for one in home.dead())
        documents = ShippedDocuments(engine, settings.engine.namespace)
        return Comparison(documents, reader, refused).run(first, end, tell)


def compare_with_log(
    settings: Settings,
    url: str,
    log: LogCopy,
    *,
    first: int = 0,
    last: int | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Compared:
    """Compare what was shipped to an engine with a copy of the log; no data directory is needed. As `compare`."""
    end = log.size - 1 if last is None else last
    if first < 0 or end >= log.size:
        raise ConfigError(
            f"the copy has no indexes from {first} to {end}", hint=f"it has {log.size:,} entries"
        )
    with connect(url, settings.engine) as engine:
        documents = ShippedDocuments(engine, settings.engine.namespace)
        return Comparison(documents, log, goes_on=True).run(first, end, tell)


def rebuild(
    settings: Settings, url: str, checkpoint: Checkpoint, tell: Callable[[int, int], None] | None = None
) -> Rebuilt:
    """Compare what was shipped to an engine with a signed checkpoint alone; no data directory is needed.

    Args:
        tell: called with (indexes read, indexes to read).

    Raises:
        ConfigError: no address of an engine.
        EngineError: the engine cannot be asked.
    """
    with connect(url, settings.engine) as engine:
        return rebuilt(ShippedDocuments(engine, settings.engine.namespace), checkpoint, tell)
