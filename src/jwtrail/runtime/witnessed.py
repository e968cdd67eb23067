"""The daemon has its checkpoints cosigned by a witness, and tells when the witness refuses."""

from collections.abc import Callable
from contextlib import suppress

from jwtrail.ecs import Event, event_for
from jwtrail.errors import ConfigError, IntegrityError, JwtrailError
from jwtrail.runtime.ticking import Ticker
from jwtrail.tlog.witness import WitnessKey
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.witnessing import post_to, witness

__all__ = ["Witnessing"]

FIRST_S = 5.0
"""After the start, when the first checkpoint is signed."""


class Witnessing:
    """Asks every `trail.witness_seconds`; does nothing when no witness is set. Records changes, not every answer.

    Args:
        layout: whose checkpoints.
        settings: which witness.
        record: puts an event into the trail.

    Raises:
        ConfigError: URL without key, or one of them is malformed.

    Attributes:
        state: whether the last answer was a cosignature, and the size of the last that was; None before any answer.
    """

    def __init__(self, layout: Layout, settings: TrailSettings, record: Callable[[Event], None]) -> None:
        self._layout = layout
        self._record = record
        self._told = ""
        self.state: tuple[bool, int] | None = None
        self._ticker: Ticker | None = None
        if not settings.witness_url:
            return
        if not settings.witness_key:
            raise ConfigError(
                "a witness needs its key", where="trail.witness_key", hint="as the witness publishes it"
            )
        try:
            self._key = WitnessKey.parse(settings.witness_key)
        except IntegrityError as error:
            raise ConfigError(error.message, where="trail.witness_key", hint=error.hint) from error
        self._post = post_to(settings.witness_url)
        self._ticker = Ticker("jwtrail-witness", self.look, settings.witness_seconds, FIRST_S)

    def start(self) -> None:
        """Begin to ask."""
        if self._ticker is not None:
            self._ticker.start()

    def close(self) -> None:
        """Stop."""
        if self._ticker is not None:
            self._ticker.close()

    def look(self) -> None:
        """Ask once."""
        try:
            done = witness(self._layout, TrailReader(self._layout), self._key, self._post)
        except IntegrityError as error:
            self._failed()
            self._tell("trail-broken", "failure", f"the witness refuses: {error.message}")
        except JwtrailError as error:
            self._failed()
            self._tell("witness-failed", "failure", str(error))
        else:
            self.state = True, done.size
            self._tell(
                "trail-witnessed", "success", f"{done.witness} cosigns the checkpoints again", done.size
            )

    def _failed(self) -> None:
        self.state = False, self.state[1] if self.state else 0

    def _tell(self, action: str, outcome: str, message: str, size: int | None = None) -> None:
        if action == self._told:
            return
        self._told = action
        with suppress(JwtrailError):
            self._record(
                event_for(
                    action,
                    service_name="jwtrail",
                    event_outcome=outcome,
                    message=message,
                    jwtrail_records=size,
                )
            )
