"""Carries what is in the outbox to the channels: at least once, with an id that stays, and never in anybody's way.

Each channel has a thread of its own, so that one that hangs holds up no other, and nothing here is waited for by detection
or by an answer.
"""

import random
import threading
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.ecs import Event, event_for
from jwtrail.errors import JwtrailError, NotifyError, StateError
from jwtrail.respond.notify.notice import Notice, Sender
from jwtrail.runtime.quota import Quota
from jwtrail.state.outbox import Delivery, Outbox

__all__ = ["FIRST_PAUSE_S", "LONGEST_PAUSE_S", "MAX_TRIES", "Courier", "pause_s"]

MAX_TRIES = 20
"""Then a delivery is dead, some ten hours after the first try; `jwtrail alerts resend` tries it again."""

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 3600.0
"""The pause after a failure doubles from the first to the longest."""

LOOK_S = 1.0
"""Between two looks at an empty outbox: another process may have put something in, or asked for another try."""

BATCH = 20
"""Deliveries read at a time."""

CLOSE_S = 2.0
"""How long the end of the daemon waits for a delivery under way; one that is cut off goes out again later."""

MAX_ERROR = 200
"""Characters of an error that are kept."""

_decode = msgspec.json.Decoder(Notice).decode


class Courier:
    """Delivers until it is closed.

    Args:
        outbox: what is to be delivered.
        senders: by channel.
        record: puts an event into the trail.
        limits: messages an hour, by channel; those that are not in it have none.
        console: public address of the console, for a link.
        now_us: the time.
    """

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[str, Sender],
        record: Callable[[Event], None],
        *,
        limits: Mapping[str, int] | None = None,
        console: str = "",
        now_us: Clock = clock.now_us,
    ) -> None:
        self._outbox = outbox
        self._quota = Quota(outbox, limits or {}, console=console, now_us=now_us)
        self._senders = dict(senders)
        self._record = record
        self._now_us = now_us
        self._stop = threading.Event()
        self._news = {name: threading.Event() for name in senders}
        self._random = random.Random()  # noqa: S311  # spreads retries, hides nothing
        self._threads = [
            threading.Thread(target=self._run, args=(name,), name=f"jwtrail-notify-{name}", daemon=True)
            for name in senders
        ]

    def start(self) -> None:
        """Begin, with what an earlier run left."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There is something new."""
        for news in self._news.values():
            news.set()

    def close(self) -> None:
        """Stop; what is not delivered stays in the outbox. Idempotent."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(CLOSE_S)

    def step(self, channel: str) -> int:
        """Try what is due on a channel, or hold it back where that was told enough; how many deliveries that were."""
        due = self._outbox.due(channel, self._now_us(), BATCH)
        room = self._quota.room(channel) if due else None
        for number, delivery in enumerate(due):
            if self._stop.is_set():
                return number
            if room is not None and not room.takes(delivery):
                self._quota.hold(delivery)
                continue
            tried = self._tried(self._quota.ready(delivery))
            self._outbox.put(tried)
            if room is not None:
                room.used(tried)
        return len(due)

    def _run(self, channel: str) -> None:
        news = self._news[channel]
        while not self._stop.is_set():
            news.clear()
            try:
                busy = self.step(channel)
            except StateError:  # a full disk: what was tried is tried again
                busy = 0
            if not busy:
                news.wait(LOOK_S)

    def _tried(self, delivery: Delivery) -> Delivery:
        """The delivery as it stands after one more try."""
        tries = delivery.tries + 1
        try:
            self._senders[delivery.channel](_decode(delivery.doc))
        except NotifyError as error:
            why = str(error)[:MAX_ERROR]
            if error.final or tries >= MAX_TRIES:
                self._tell("notification-failed", delivery, f"gave up telling {delivery.channel}: {why}")
                return replace(delivery, state="dead", tries=tries, error=why)
            wait = max(pause_s(tries, self._random.random()), float(error.retry_after_s))
            return replace(delivery, tries=tries, error=why, due_us=self._now_us() + int(wait * 1_000_000))
        self._tell("notification-sent", delivery, f"told {delivery.channel}")
        return replace(delivery, state="sent", tries=tries, error="", sent_us=self._now_us())

    def _tell(self, action: str, delivery: Delivery, message: str) -> None:
        event = event_for(
            action,
            flags={"self_inflicted"},
            event_outcome="success" if action == "notification-sent" else "failure",
            message=message,
            jwtrail_alert_id=delivery.alert or None,
            labels={"channel": delivery.channel, "delivery": delivery.id},
        )
        try:
            self._record(event)
        except JwtrailError:
            return  # the trail says so itself; the outbox knows what became of the delivery


def pause_s(tries: int, chance: float) -> float:
    """How long to wait after so many tries: doubled each time, and between half and the whole of it by chance, so that
    many senders do not come back together.

    Args:
        chance: 0 to 1.
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries - 1, 16))
    return longest * (0.5 + chance / 2)
