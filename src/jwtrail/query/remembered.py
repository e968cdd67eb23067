"""Answers that were counted over a part of the index: a part never changes, so the same question has the same answer."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["MAX_ROWS", "Remembered"]

MAX_ROWS = 100_000
"""Rows of all answers together, some tens of megabytes; one of more than a tenth of it is not kept."""

Rows = list[tuple[Any, ...]]


class Remembered:
    """The answers that were asked for last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Rows] = OrderedDict()
        self._rows = 0

    def rows(self, question: Hashable, ask: Callable[[], Rows]) -> Rows:
        """The answer as it is known, or what `ask` gives."""
        with self._lock:
            if (known := self._known.get(question)) is not None:
                self._known.move_to_end(question)
                return known
        found = ask()
        if len(found) <= MAX_ROWS // 10:
            self._keep(question, found)
        return found

    def _keep(self, question: Hashable, found: Rows) -> None:
        with self._lock:
            if question in self._known:
                return
            self._known[question] = found
            # One more for each, so that answers without a row do not grow in number for ever.
            self._rows += len(found) + 1
            while self._rows > MAX_ROWS:
                _, dropped = self._known.popitem(last=False)
                self._rows -= len(dropped) + 1
