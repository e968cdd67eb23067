"""A trail to ship, and a sink in memory that fails as it is told."""

import threading
from collections.abc import Iterable, Sequence

from jwtrail import clock
from jwtrail.ecs import event_for
from jwtrail.ship.sink import Receipt, Refusal, SinkAway
from jwtrail.trail.documents import Document
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter


def recorded(layout: Layout, count: int, *, seal: bool = True, **fields: object) -> int:
    """Record events as an API and its daemon would; how many the trail has then."""
    layout.create()
    with Keeper(layout, TrailSettings()) as keeper:
        writer = TrailWriter(layout, TrailSettings(queue_size=100_000))
        for number in range(count):
            known = {"user_id": f"u-{number % 50}", "url_path": f"/orders/{number}", "source_ip": "192.0.2.7"}
            writer.put(event_for("http-request", **known | {"http_response_status_code": 200} | fields))
        writer.close()
        while keeper.step(clock.now_us()):
            pass
        if seal:
            keeper.seal(clock.now_us())
        return keeper.size


class MemorySink:
    """Keeps documents by id, one index for each rollover, and counts what it would have doubled.

    Args:
        faults: what happens to each call, in turn: `ok`, `away`, `lost` (taken, but the answer is not heard), `busy`
            (every second one), `rollover` (a new index takes what comes), `large`; `ok` when there are no more.
        poison: indexes that are refused for good.
    """

    name = "memory://test"

    def __init__(self, faults: Iterable[str] = (), poison: Iterable[int] = (), parallel: int = 2) -> None:
        self.parallel = parallel
        self.indexes: list[dict[str, Document]] = [{}]
        self.poison = set(poison)
        self._faults = iter(faults)
        self._lock = threading.Lock()

    @property
    def sequences(self) -> list[int]:
        return sorted(one.sequence for index in self.indexes for one in index.values())

    def open(self) -> int:
        return max((one + 1 for one in self.sequences), default=0)

    def send(self, documents: Sequence[Document], *, again: bool) -> Receipt:
        with self._lock:
            fault = next(self._faults, "ok")
            if fault == "away":
                raise SinkAway("nobody there")
            if fault == "large" and len(documents) > 1:
                raise SinkAway("too much", too_large=True)
            if fault == "rollover":
                self.indexes.append({})
            receipt = self._take(documents, again=again, busy=fault == "busy")
            if fault == "lost":
                raise SinkAway("no answer", maybe_done=True)
            return receipt

    def _take(self, documents: Sequence[Document], *, again: bool, busy: bool) -> Receipt:
        refused, waiting, there = [], [], 0
        for place, one in enumerate(documents):
            if one.id in self.indexes[-1] or (again and any(one.id in index for index in self.indexes)):
                there += 1
            elif one.sequence in self.poison:
                refused.append(Refusal(one.sequence, one.id, "400 no such field"))
            elif busy and place % 2:
                waiting.append(place)
            else:
                self.indexes[-1][one.id] = one
        return Receipt(tuple(refused), tuple(waiting), there=there)

    def close(self) -> None:
        pass
