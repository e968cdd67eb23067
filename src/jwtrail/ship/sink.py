"""What a sink is: something that takes documents, and says which it refused."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from msgspec import Struct

from jwtrail.errors import JwtrailError
from jwtrail.trail.documents import Document

__all__ = ["Receipt", "Refusal", "Rewriting", "Sink", "SinkAway", "shown_address"]


class Refusal(Struct, frozen=True):
    """A document that a sink will not take however often it is tried.

    Args:
        sequence: its index.
        id: its `event.hash`.
        cause: why, in the sink's words.
    """

    sequence: int
    id: str
    cause: str


class Receipt(Struct, frozen=True):
    """What became of documents; those named nowhere were taken.

    Args:
        refused: for good.
        busy: places, from 0, of those that may be taken when tried again.
        uncertain: some of `busy` may have been taken all the same.
        there: how many had been taken before.
        retry_after_s: how long the sink asks to be left alone.
        why: the sink's words about the first of `busy`.
    """

    refused: tuple[Refusal, ...] = ()
    busy: tuple[int, ...] = ()
    uncertain: bool = False
    there: int = 0
    retry_after_s: float | None = None
    why: str = ""


class SinkAway(JwtrailError):  # noqa: N818  # reads as a sentence where it is caught
    """Nothing can be said of these documents but that it should be tried again.

    Args:
        maybe_done: some may have been taken.
        too_large: fewer at a time may be taken.
        retry_after_s: how long the sink asks to be left alone.
    """

    code = "sink_away"

    def __init__(
        self,
        message: str,
        *,
        maybe_done: bool = False,
        too_large: bool = False,
        retry_after_s: float | None = None,
        where: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.maybe_done = maybe_done
        self.too_large = too_large
        self.retry_after_s = retry_after_s


class Sink(Protocol):
    """Somewhere documents go. `send` may be called by `parallel` threads at once."""

    @property
    def name(self) -> str:
        """Where, for people; never with a secret."""

    @property
    def parallel(self) -> int:
        """Batches at once; 1 keeps their order."""

    def open(self) -> int:
        """See whether documents would be welcome; the index from which on none is there for sure.

        Raises:
            JwtrailError: they would not; the hint says what to do.
        """

    def send(self, documents: Sequence[Document], *, again: bool) -> Receipt:
        """Hand documents over.

        Args:
            documents: in the order of the trail, at least one.
            again: some of them may be there already.

        Raises:
            SinkAway: try again later.
        """

    def close(self) -> None:
        """Let go of files and connections."""


def shown_address(url: str) -> str:
    """An address as people and logs may see it: scheme and host, and `/…` for a path or query, which may be a receiver's secret.

    Files are shown whole.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    if not parts.scheme or parts.scheme == "file":
        return url if parts.scheme else "…"
    host = parts.netloc.rpartition("@")[2]
    more = "/…" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{host}{more}"


@runtime_checkable
class Rewriting(Protocol):
    """A sink that can take a person out of what it has."""

    def rewrite(self, documents: Sequence[Document]) -> Receipt:
        """Put documents in the place of those with the same id; what is not there stays away. Raises as `Sink.send`."""
