"""Detection where the events are in an engine: over the past by a converted query, and live by following the data streams.

Both feed the detector that runs on the data directory, so counts, windows and chains mean the same. Following reads on behind
the last index: indexes are without gaps, so what is not searchable yet shows as a gap and is waited for, and no point in
time has to be kept open.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Iterable, Iterator

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.detect import Alert, Detector, RuleSet
from jwtrail.detect.endings import LATENESS_US
from jwtrail.ecs import Event
from jwtrail.elastic.client import connect
from jwtrail.errors import JwtrailError, PredicateError
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.ir import And, Anything, Or, Predicate
from jwtrail.query.hidden import Hidden
from jwtrail.query.remote import RemoteStore
from jwtrail.runtime.history import Replay, numbered_below
from jwtrail.state.store import StateStore
from jwtrail.trail.layout import Layout

__all__ = ["GAP_S", "RemoteFeed", "RemoteFollower", "detected", "remote_store", "replayed_there", "widened"]

_log = logging.getLogger("jwtrail.remotefollow")

PAGE = 5_000
"""Events of one question; an engine gives 10,000 at most."""

GAP_S = 30.0
"""An index that is not there after so long was refused when it was shipped; those behind it are not held up longer."""

PAUSE_S = 0.5
"""Between two looks when there was nothing; an engine makes documents searchable once a second."""

RETRY_S = 5.0

MAX_WAITING = 4
"""Pages that may wait for the detector."""


def remote_store(settings: Settings) -> RemoteStore:
    """The engine that `store` names.

    Raises:
        ConfigError, EngineError: it is no address, or nobody answers there.
    """
    hidden = Hidden(Layout(settings.root).restricted)
    return RemoteStore(connect(settings.store, settings.engine), settings.engine.namespace, hidden=hidden)


def replayed_there(
    store: RemoteStore,
    ruleset: RuleSet,
    *,
    from_us: int | None = None,
    to_us: int | None = None,
    warm_up_us: int = 0,
    before: Iterable[Event] = (),
) -> Replay:
    """What `history.replayed` says, of the events in an engine; arguments as there.

    Raises:
        PredicateError: a rule cannot be compiled.
        QueryError: the engine cannot answer.
    """
    began = clock.monotonic_ns()
    start = None if from_us is None else max(0, from_us - warm_up_us)
    detector, alerts, read = Detector(ruleset), list[Alert](), 0
    if known := numbered_below(before, -1):
        detector.feed(known)
    for page in _pages(store, looked_at(ruleset), start, to_us):
        read += len(page)
        alerts += detector.feed(page)
    latest = store.last_us()
    alerts += detector.advance(latest if to_us is None else min(latest, to_us + LATENESS_US))
    within = [alert for alert in alerts if from_us is None or alert.at_us >= from_us]
    return Replay(alerts=tuple(within), read=read, took_ms=(clock.monotonic_ns() - began) // 1_000_000)


def looked_at(ruleset: RuleSet) -> Predicate:
    """What any rule in use looks at, as far as an engine can say it; the detector decides in the end."""
    wanted = widened(Or(items=tuple(rule.predicate for rule in ruleset.active().rules)))
    try:
        to_dsl(wanted)
    except PredicateError:  # each can be asked, but not all together
        return Anything()
    return wanted


def widened(predicate: Predicate) -> Predicate:
    """A predicate that engines can express and that holds wherever this one does."""
    try:
        to_dsl(predicate)
    except PredicateError:
        match predicate:
            case And(items=items):
                return And(items=tuple(map(widened, items)))
            case Or(items=items):
                return Or(items=tuple(map(widened, items)))
        return Anything()
    return predicate


def _pages(
    store: RemoteStore, wanted: Predicate, from_us: int | None, to_us: int | None
) -> Iterator[list[Event]]:
    first = 0
    while page := store.within(wanted, from_us, to_us, first, PAGE):
        yield _once_each(page, first)
        first = (page[-1].event_sequence or 0) + 1


def _once_each(page: list[Event], first: int) -> list[Event]:
    """In order, without documents that are there twice."""
    kept: list[Event] = []
    for event in page:
        if event.event_sequence is not None and event.event_sequence >= first:
            kept.append(event)
            first = event.event_sequence + 1
    return kept


class RemoteFollower:
    """Events of an engine from an index on, each once, in order. Used by one thread.

    Args:
        store: where they are.
        position: the first index wanted.
    """

    def __init__(self, store: RemoteStore, position: int = 0) -> None:
        self.position = position
        self.skipped = 0
        self._store = store
        self._gap_ns = 0

    def read(self) -> list[Event]:
        """What follows without a gap; empty when there is nothing now, or while a gap is waited for.

        Raises:
            EngineError, QueryError: the engine cannot be asked now; reading goes on where it was.
        """
        page = _once_each(self._store.behind(self.position, PAGE), self.position)
        found = []
        for event in page:
            assert event.event_sequence is not None
            if event.event_sequence != self.position and not self._given_up(event.event_sequence):
                break
            found.append(event)
            self.position = event.event_sequence + 1
            self._gap_ns = 0
        return found

    def _given_up(self, behind: int) -> bool:
        """Whether the gap in front of an index was waited for long enough."""
        now = clock.monotonic_ns()
        self._gap_ns = self._gap_ns or now
        if now - self._gap_ns < GAP_S * 1e9:
            return False
        self.skipped += behind - self.position
        return True


class RemoteFeed:
    """A follower in a thread of its own, so that a slow engine holds up nobody.

    Args:
        store: where the events are.
        position: the first index wanted.
    """

    def __init__(self, store: RemoteStore, position: int) -> None:
        self.failure = ""
        self._follower = RemoteFollower(store, position)
        self._pages: queue.Queue[list[Event]] = queue.Queue(MAX_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jwtrail-remote", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> list[Event]:
        """What came since; never waits."""
        with contextlib.suppress(queue.Empty):
            return self._pages.get_nowait()
        return []

    def close(self) -> None:
        """Stop after the question at hand. Idempotent, and right also when it was never started."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                page = self._follower.read()
                self.failure = ""
            except JwtrailError as error:
                if not self.failure:
                    _log.warning("cannot follow the engine; trying again: %s", error)
                self.failure = str(error)
                self._stop.wait(RETRY_S)
                continue
            if not page:
                self._stop.wait(PAUSE_S)
            while page and not self._stop.is_set():
                with contextlib.suppress(queue.Full):
                    self._pages.put(page, timeout=PAUSE_S)
                    break


def detected(settings: Settings, ruleset: RuleSet, stop: threading.Event) -> Iterator[Alert]:
    """Alerts over what comes into the engine, from where the last run ended, until `stop`.

    The position and what rules remember are kept in the data directory, after the alerts that led there were taken.

    Raises:
        ConfigError, EngineError: the engine cannot be reached at the start.
    """
    layout = Layout(settings.root)
    layout.create()
    with StateStore(layout.state) as state:
        store = remote_store(settings)
        name = f"follow:{settings.store}#{settings.engine.namespace}"
        detector = Detector(ruleset, state.get_cursor(name))
        feed = RemoteFeed(store, detector.stats().sequence + 1)
        feed.start()
        try:
            while not stop.is_set():
                events = feed.take()
                if events:
                    yield from detector.feed(events)
                    state.commit(cursor=(name, detector.snapshot()))
                else:
                    stop.wait(PAUSE_S)
        finally:
            feed.close()
            store.close()
