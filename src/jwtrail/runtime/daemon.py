"""What `jwtrail serve` runs: follows the trail, detects, answers. The application never waits for any of it."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue

from jwtrail import clock, config
from jwtrail.detect.alert import Alert
from jwtrail.detect.engine import Detector
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import IMPORTED, Event, event_for
from jwtrail.errors import JwtrailError, TrailError
from jwtrail.query.files import TrailFiles
from jwtrail.query.hidden import Hidden
from jwtrail.query.index import QueryIndex
from jwtrail.query.local import LocalStore
from jwtrail.query.page import MAX_LIMIT, SearchRequest
from jwtrail.query.store import Store
from jwtrail.respond.responder import Responder
from jwtrail.runtime.audit import Auditor
from jwtrail.runtime.channels import limits_of, senders_of
from jwtrail.runtime.courier import Courier
from jwtrail.runtime.crowd import Crowd
from jwtrail.runtime.due import DueErasures
from jwtrail.runtime.indexer import Indexer
from jwtrail.runtime.lowwater import LowWater
from jwtrail.runtime.metrics import Meter
from jwtrail.runtime.pruning import Pruned, pruned_event, remove
from jwtrail.runtime.recently import Recently
from jwtrail.runtime.remotefollow import RemoteFeed, remote_store
from jwtrail.runtime.rulewatch import RuleWatch
from jwtrail.runtime.scheduled import ScheduledPruning
from jwtrail.runtime.shipping import Shipping
from jwtrail.runtime.subjects import Found, take_out
from jwtrail.runtime.upkeep import CROWD, CURSOR, announce
from jwtrail.runtime.witnessed import Witnessing
from jwtrail.state.outbox import Outbox
from jwtrail.state.split import open_state
from jwtrail.tokens.ends import end_of
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.restriction import Restriction
from jwtrail.trail.writer import TrailWriter

__all__ = ["Daemon"]

_log = logging.getLogger("jwtrail.daemon")

IDLE_S = 0.01
"""Between two looks at the logs: half of what a person calls at once, and a hundred looks a second cost 2 % of a core."""

SNAPSHOT_US = 5_000_000
"""Between two snapshots of the detector; after a crash this much of the trail is read again."""

SNAPSHOT_SHARE = 20
"""A snapshot takes at the most one part in so many of the time: one of 100 MB takes two seconds, and is made every forty."""

HOUSEKEEPING_US = 60_000_000
"""Between two clean-ups of rows whose time is over."""

RULES_US = 2_000_000
"""Between two looks at the user's rule files."""

MAX_DRAINS = 1000
"""Looks at the logs at start and end: each takes all there is, so only an application that writes without pause needs more than a few."""

RETRY_S = 1.0


class Daemon:
    """Sequencer, detector and responder of one data directory, in one thread.

    Args:
        settings: see `config.Settings`.
        on_events: called with every batch of newly sequenced events, in order.
        on_alerts: called with alerts that are new, after their answers are in force.

    Raises:
        LockedError: another daemon holds the directory.
    """

    def __init__(
        self,
        settings: config.Settings,
        *,
        on_events: Callable[[Sequence[Event]], None] | None = None,
        on_alerts: Callable[[Sequence[Alert]], None] | None = None,
    ) -> None:
        # First what may be set wrongly: it is refused before anything is held.
        senders = senders_of(settings)
        self.settings = settings
        self.started_us = clock.now_us()
        self.layout = Layout(settings.root)
        self.witnessing = Witnessing(self.layout, settings.trail, self.record)
        self.layout.create()
        self.keeper = Keeper(self.layout, settings.trail)
        self.state = open_state(self.layout.state, settings.state_url)
        self.reader = TrailReader(self.layout)
        self._index = index = QueryIndex(self.layout.index)
        self._hidden = Hidden(self.layout.restricted)
        local = LocalStore(
            TrailFiles(self.layout), head=lambda: self.keeper.head, index=index, hidden=self._hidden
        )
        self._local = local.unhidden()
        remote = remote_store(settings) if settings.store else None
        self.store: Store = remote or local
        self._cursor = f"{CURSOR}:{settings.store}" if remote else CURSOR
        self._indexer = Indexer(TrailFiles(self.layout), index)
        self.rules = configured(settings.detect)
        self._rule_files = RuleWatch(settings.detect.rules)
        self.writer = TrailWriter(self.layout, settings.trail)
        self.auditor = Auditor(self.layout, settings.trail, self.record)
        self.disk = LowWater(self.layout, self.record)
        self.meter = Meter()
        self.lag_ms = 0
        self._since_us: int | None = None
        self.failure: str = ""
        self.detector = Detector(self.rules, self.state.get_cursor(self._cursor))
        self.feed = RemoteFeed(remote, self.detector.stats().sequence + 1) if remote else None
        self.shipping = Shipping(settings)
        self._crowd = Crowd(self.state.get_cursor(CROWD))
        self._responder = Responder(
            settings.respond,
            commit=self.state.commit,
            record=self.record,
            ends=partial(end_of, self.state, settings.tokens),
            channels=settings.notify,
            console=settings.serve.public_url,
        )
        self.outbox = Outbox(self.layout.state)
        self._courier = Courier(
            self.outbox,
            senders,
            self.record,
            limits=limits_of(settings),
            console=settings.serve.public_url,
        )
        self._evicted = self.detector.stats().evicted
        self._waiting: list[Alert] = []
        self._erasures = DueErasures(settings, self._erase)
        self._pruning = ScheduledPruning(
            settings, self._prune, self.record, self._local, lambda: self.keeper.size
        )
        self._due: SimpleQueue[tuple[Callable[[], None], Future[None]]] = SimpleQueue()
        self._on_events = on_events
        self._on_alerts = on_alerts
        self._recently = Recently()
        self._save_us = self._cleaned_us = self._looked_us = self.started_us
        self._unsaved = False
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up where the last run ended, then follow the logs in a thread."""
        # What the last run wrote about its alerts may still lie in the logs: it must be in order before anything is repaired.
        for _ in range(MAX_DRAINS):
            if not self.keeper.step(clock.now_us()):
                break
        self._responder.repair(self.state, self._is_recorded, now_us=clock.now_us())
        if self.feed is None:
            self._catch_up()
        else:
            self.feed.start()
        self._since_us = clock.now_us()
        self._thread = threading.Thread(target=self._run, name="jwtrail-daemon", daemon=True)
        self._thread.start()
        self.auditor.start()
        self.witnessing.start()
        self.disk.start()
        self._erasures.start()
        self._pruning.start()
        self._indexer.start()
        self._courier.start()
        self.shipping.start()

    def close(self) -> None:
        """Sequence what is there, sign, save the detector, let go of the directory. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        self.auditor.close()
        self.witnessing.close()
        self.disk.close()
        self._erasures.close()
        self._pruning.close()
        self._indexer.close()
        self._courier.close()
        if self.feed is not None:
            self.feed.close()
        with contextlib.suppress(JwtrailError):  # what cannot be done now is done at the next start
            self._drain()  # what is found in the last events is recorded while there is a writer
            self.writer.close()
            self._drain()
            if not self._waiting:
                self._save()
        self.writer.close()
        self.shipping.close()  # after the last step: what it gave an index is shipped too
        self.keeper.close()
        self.store.close()
        self.outbox.close()
        self.state.close()

    def _drain(self) -> None:
        for _ in range(MAX_DRAINS):
            if not self._step():
                break

    def record(self, event: Event) -> None:
        """Put an event of the daemon's own into the trail; it comes back through the logs like any other."""
        self.writer.put(event, "sync")

    def events_per_minute(self) -> int:
        """Events sequenced within the last minute."""
        return self._recently.within_a_minute(clock.now_us())

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self._step()
                self.failure = ""
            except JwtrailError as error:  # a full disk, a damaged log: say so, keep trying, lose nothing
                self.failure = str(error)
                busy = False
                self._stop.wait(RETRY_S)
            except Exception as error:  # noqa: BLE001  # whatever it is, following must not end in silence
                if not self.failure:
                    _log.exception("following the trail failed; trying again")
                self.failure = f"{type(error).__name__}: {error}"
                busy = False
                self._stop.wait(RETRY_S)
            if not busy:
                self._stop.wait(IDLE_S)

    def _step(self) -> bool:
        now = clock.now_us()
        sequenced = self.keeper.step(now)
        self.meter.see(sequenced)
        self._tell_damage()
        events = sequenced if self.feed is None else self.feed.take()
        if events:
            self._recently.see(len(events), now)
            self._follow(events)
            if self._on_events is not None:
                self._on_events(self._hidden.among(events))
        if self._waiting:
            self._answer()
        self._do_due()
        if self._unsaved and now >= self._save_us:
            self._save()
        if now - self._cleaned_us > HOUSEKEEPING_US:
            self._cleaned_us = now
            self.state.prune(now)
            self.outbox.prune(now)
        if now - self._looked_us > RULES_US:
            self._looked_us = now
            if self._rule_files.changed():
                self._take_rules()
        return bool(events or sequenced)

    def _erase(self, restriction: Restriction, found: Found) -> None:
        """Erase for the thread that found it. The detector begins anew without the person; its place in the trail stays."""

        def work() -> None:
            self._save()
            by, reason = restriction.by, restriction.ticket
            take_out(self.settings, self.keeper, self._index, found, by=by, reason=reason)
            self.detector = Detector(self.rules, self.state.get_cursor(self._cursor))
            self._crowd = Crowd(self.state.get_cursor(CROWD))

        self._in_turn(work)

    def _prune(self, found: Pruned) -> None:
        """Remove for the thread that found it."""

        def work() -> None:
            if found.begin not in {info.first for info in self.keeper.segments}:
                raise TrailError("segments were merged meanwhile", hint="it is tried again")
            reason = f"trail.prune_after = {self.settings.trail.prune_after}"
            announce(self.layout, self.settings, pruned_event(found, "jwtrail", reason))
            remove(self.keeper, self._index, found)

        self._in_turn(work)

    def _in_turn(self, work: Callable[[], None]) -> None:
        """Have the thread that owns the keeper do something; called from another one."""
        done: Future[None] = Future()
        self._due.put((work, done))
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                done.result(RETRY_S)
                return
        raise TrailError("the daemon stops")

    def _do_due(self) -> None:
        if self._due.empty():
            return
        work, done = self._due.get()
        try:
            work()
        except Exception as error:  # noqa: BLE001  # whatever it is, the thread that waits is told
            done.set_exception(error)
        else:
            done.set_result(None)

    def _tell_damage(self) -> None:
        """Say once what is damaged in the logs. What is whole goes on, and the audit names all of it."""
        for finding in self.keeper.findings:
            self._tell(str(finding))

    def _tell(self, damage: str) -> None:
        if damage not in self._told:
            self._told.add(damage)
            self.record(
                event_for("trail-broken", service_name="jwtrail", event_outcome="failure", message=damage)
            )

    def _take_rules(self) -> None:
        """Go on with changed rules. Those that are the same keep what they remember; the others begin anew."""
        try:
            rules = configured(self.settings.detect)
            detector = Detector(rules, self.detector.snapshot())
        except JwtrailError as error:  # half-written files, say: the rules in use stay in use
            _log.warning("rules were not taken: %s", error)
            return
        self.rules, self.detector = rules, detector
        self._unsaved, self._save_us = True, 0  # a start finds what these rules remember
        self._evicted = detector.stats().evicted
        count, refused = detector.stats().rules, len(rules.refused)
        self.record(
            event_for("rule-changed", service_name="jwtrail", message=f"{count} rules, {refused} refused")
        )

    def _follow(self, events: Sequence[Event]) -> None:
        # What was imported is the past: `jwtrail detect` looks into it, and nobody is revoked because of it.
        live = [event for event in events if not event.tags or IMPORTED not in event.tags]
        self._unsaved = True
        self._crowd.see(live)
        self._waiting += self.detector.feed(live)

    def _answer(self) -> None:
        """Answer what was found. When that fails the alerts stay waiting, and no snapshot is saved that is past them."""
        alerts = self._waiting
        # The snapshot follows by itself: after a crash the same events give alerts with the same ids, which are known.
        now = clock.now_us()
        since = now if self._since_us is None else self._since_us
        new = self._responder.answer(alerts, cursor=None, crowd=self._crowd.users, now_us=now, since_us=since)
        self._waiting = []
        self.lag_ms = max(0, (clock.now_us() - max(alert.at_us for alert in alerts)) // 1000)
        if new:
            self._courier.wake()
            if self._on_alerts is not None:
                self._on_alerts(new)

    def _catch_up(self) -> None:
        """Feed what was sequenced after the last snapshot: from segments, then what is not sealed."""
        query = f"event.sequence > {self.detector.stats().sequence} and not tags: {IMPORTED}"
        cursor: str | None = None
        while True:
            try:
                page = self._local.search(
                    SearchRequest(query, limit=MAX_LIMIT, cursor=cursor, ascending=True)
                )
            except (
                JwtrailError
            ) as error:  # a segment that is cut off, say: what is new is judged all the same
                self._tell(f"what came after the last snapshot was not judged: {error}")
                return
            self._follow([event for event in page.events if event.event_sequence is not None])
            if self._waiting:
                self._answer()
            cursor = page.next
            if cursor is None:
                return

    def _save(self) -> None:
        began_ns = clock.monotonic_ns()
        self.state.commit(cursor=(self._cursor, self.detector.snapshot()))
        self.state.commit(cursor=(CROWD, self._crowd.save()))
        took_us = (clock.monotonic_ns() - began_ns) // 1000
        self._unsaved, self._save_us = False, clock.now_us() + max(SNAPSHOT_US, SNAPSHOT_SHARE * took_us)
        evicted = self.detector.stats().evicted
        if evicted > self._evicted:
            lost = evicted - self._evicted
            self._evicted = evicted
            said = "groups evicted"
            told = event_for("detector-dropped", service_name="jwtrail", message=said, jwtrail_records=lost)
            self.record(told)

    def _is_recorded(self, event_id: str) -> bool:
        return self._local.get(event_id) is not None
