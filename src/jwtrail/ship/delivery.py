"""One batch until it is through: tries, pauses, cuts it smaller, and sorts out what is refused for good."""

import threading
from collections.abc import Sequence

from msgspec import Struct

from jwtrail import clock
from jwtrail.ship.pace import Breaker, Pause, Size
from jwtrail.ship.sink import Receipt, Refusal, Rewriting, Sink, SinkAway
from jwtrail.trail.documents import Document

__all__ = ["Delivered", "Delivery"]


class Delivered(Struct, frozen=True):
    """What became of a batch.

    Args:
        complete: every document was taken or refused; False when it was stopped before.
        sent: taken now.
        there: taken before.
        refused: for good.
    """

    complete: bool
    sent: int = 0
    there: int = 0
    refused: tuple[Refusal, ...] = ()

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(
            self.complete and other.complete,
            self.sent + other.sent,
            self.there + other.there,
            self.refused + other.refused,
        )


class Delivery:
    """Delivers batches to one sink; any number of threads may use it.

    Args:
        sink: where to.
        size: told how it goes.
        stop: ends every wait.
        max_bytes: of one call of the sink; a single larger document goes alone.
    """

    def __init__(self, sink: Sink, size: Size, stop: threading.Event, max_bytes: int) -> None:
        self._sink = sink
        self._size = size
        self._stop = stop
        self._max_bytes = max_bytes
        self._breaker = Breaker()
        self.retries = 0
        self.failure = ""

    def deliver(self, documents: Sequence[Document], *, again: bool) -> Delivered:
        """Send until every document is taken or refused, or it is stopped.

        Args:
            again: some may be there already.
        """
        done = Delivered(complete=True)
        for part in self.parts(documents):
            done += self._part(part, again=again)
            if not done.complete:
                break
        return done

    def once(self, documents: Sequence[Document], *, again: bool) -> Receipt:
        """One try without pauses.

        Raises:
            SinkAway: it did not work.
        """
        return self._sink.send(documents, again=again)

    def rewrite(self, sink: Rewriting, documents: Sequence[Document]) -> tuple[Refusal, ...] | None:
        """One try to put these in the place of what is there; None when it must be tried again."""
        if not self._breaker.wait(self._stop):
            return None
        try:
            receipt = sink.rewrite(documents)
        except SinkAway as away:
            self._failed(away, Pause())
            return None
        self._breaker.good()
        if receipt.busy:
            self.failure = (
                f"the documents of {len(receipt.busy):,} erased events are not rewritten yet: {receipt.why}"
            )
            return None
        return receipt.refused

    def _part(self, documents: Sequence[Document], *, again: bool) -> Delivered:
        done, left, pause = Delivered(complete=True), documents, Pause()
        while left:
            if not self._breaker.wait(self._stop):
                return done + Delivered(complete=False)
            begun = clock.monotonic_ns()
            try:
                receipt = self._sink.send(left, again=again)
            except SinkAway as away:
                if away.too_large and len(left) > 1:
                    self._size.busy()
                    half = len(left) // 2
                    return done + self._part(left[:half], again=again) + self._part(left[half:], again=again)
                again = again or away.maybe_done
                self._size.busy()
                self._failed(away, pause)
                continue
            self._breaker.good()
            self.failure = ""
            taken = len(left) - len(receipt.busy) - len(receipt.refused)
            done += Delivered(True, taken - receipt.there, receipt.there, receipt.refused)
            if receipt.busy:
                again = again or receipt.uncertain
                left = [left[place] for place in receipt.busy]
                self.retries += 1
                self.failure = f"{len(left):,} documents wait: {receipt.why}" if receipt.why else ""
                self._size.busy()
                self._stop.wait(pause.next_s(receipt.retry_after_s))
            else:
                self._size.taken(len(left), (clock.monotonic_ns() - begun) / 1e9)
                left = ()
        return done

    def _failed(self, away: SinkAway, pause: Pause) -> None:
        seconds = pause.next_s(away.retry_after_s)
        self.retries += 1
        self.failure = str(away)
        self._breaker.failed(seconds)
        self._stop.wait(seconds)

    def parts(self, documents: Sequence[Document]) -> list[Sequence[Document]]:
        """Runs of documents that are not larger than `max_bytes`."""
        parts: list[Sequence[Document]] = []
        start = size = 0
        for number, one in enumerate(documents):
            size += len(one.body)
            if size > self._max_bytes and number > start:
                parts.append(documents[start:number])
                start, size = number, len(one.body)
        parts.append(documents[start:])
        return parts
