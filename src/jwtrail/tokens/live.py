"""Revocations and restraints of the shared file, kept in the memory of this process within moments of a change."""

from collections.abc import Callable
from typing import Self

from jwtrail import clock
from jwtrail.state import SharedState
from jwtrail.tokens.restraint import RestraintView
from jwtrail.tokens.revocation import RevocationView

__all__ = ["LiveState"]


class LiveState:
    """Both views, fed by one watch. Rows are seen by other processes within two looks of `state.watch`, 20 ms, or as fast as
    Redis publishes.

    Args:
        store: the shared state.
        on_health: called when the shared state begins to fail, with the cause, and with an empty text when it works again.
        clock: source of the time; ended rows are not loaded.
    """

    def __init__(
        self,
        store: SharedState,
        *,
        on_health: Callable[[str], None] | None = None,
        clock: clock.Clock = clock.now_us,
    ) -> None:
        self.revocations = RevocationView()
        self.restraints = RestraintView()
        self._store = store
        self._now_us = clock
        self._watch = store.watch(self.refresh, on_health)

    @property
    def failing(self) -> str:
        """Why the shared state cannot be read at the moment; empty when it can. The views keep what they had."""
        return self._watch.failing

    def start(self) -> Self:
        """Load, and follow from now on, in forked children too."""
        self._watch.start()
        self.refresh()
        return self

    def refresh(self) -> None:
        """Load now.

        Raises:
            StateError: the file cannot be read.
        """
        now = self._now_us()
        self.revocations.load(self._store.revocations(now))
        self.restraints.load(self._store.restraints(now))

    def close(self) -> None:
        """Stop following."""
        self._watch.close()
