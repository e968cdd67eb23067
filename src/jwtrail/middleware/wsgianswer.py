"""One WSGI response on its way to the client, and the event that is written about it."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from types import TracebackType
from typing import Any

from jwtrail import clock
from jwtrail.errors import WriteError
from jwtrail.middleware.account import Outcome
from jwtrail.middleware.answers import AWAY
from jwtrail.middleware.exchange import Exchange, current
from jwtrail.middleware.frame import Frame, Scope

__all__ = ["MAX_HELD", "App", "Environ", "StartResponse", "WsgiAnswer"]

MAX_HELD = 65_536
"""Bytes of an answer that wait for its event to be on the disk; a longer one is let go, and its event is written at its end."""

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
Head = tuple[str, list[tuple[str, str]]]

_AWAY_HEAD: Head = (
    "503 Service Unavailable",
    [("Content-Type", "application/json"), ("Content-Length", str(len(AWAY))), ("Retry-After", "1")],
)


class WsgiAnswer:
    """Iterates what the application answers: its head waits for what must be on the disk before, and its event is written
    before its end. The server calls `close`, also when the client has gone.
    """

    def __init__(self, frame: Frame, scope: Scope, exchange: Exchange, start_response: StartResponse) -> None:
        self._frame = frame
        self._scope = scope
        self._exchange = exchange
        self._start_response = start_response
        self._root = str(scope["root_path"])
        self._started_us = clock.now_us()
        self._started_ns = clock.monotonic_ns()
        self._head: Head | None = None
        self._status: int | None = None
        self._mime: str | None = None
        self._length: int | None = None
        self._left = False
        self._bytes = 0
        self._written = False
        self._inner: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())
        self._early: list[bytes] = []

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """What the application calls in place of the server's `start_response`."""
        if exc_info is not None and self._left:
            raise exc_info[1].with_traceback(exc_info[2])
        self._head = (status, list(headers))
        self._status = int(status[:3])
        named = {name.lower(): value for name, value in headers}
        self._mime = named["content-type"].partition(";")[0] if "content-type" in named else None
        self._length = _number(named.get("content-length", ""))
        return self._early.append

    def take(self, answer: Iterable[bytes]) -> None:
        """What the application returned."""
        self._inner = answer
        self._chunks = self._sent(iter(answer))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = current.set(self._exchange)  # the application may go on while its answer is read
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except BaseException as error:
            self.finish(error)
            raise
        finally:
            current.reset(token)

    def close(self) -> None:
        """The server is done with the answer."""
        token = current.set(self._exchange)
        try:
            if (close := getattr(self._inner, "close", None)) is not None:
                close()
        except BaseException as error:
            self.finish(error)
            raise
        finally:
            self.finish(None)
            current.reset(token)

    def finish(self, error: BaseException | None) -> None:
        """Write the event of an answer that did not come to its end."""
        if self._written:
            return
        self._write("ClientDisconnect" if error is None else type(error).__name__)
        try:
            self._store()
        except WriteError:
            if error is None:  # else the application's own error is the one to hear of
                raise

    def _sent(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks of the answer, each when it may leave."""
        held, ended = self._read_ahead(chunks)
        if self._head is None:
            raise RuntimeError("the application answered without start_response")
        try:
            if ended:
                self._write(None)
            self._store()
        except WriteError:
            self._head, self._status, held, chunks = _AWAY_HEAD, 503, [AWAY], iter(())
        self._let_go(self._head)
        yield from held
        if ended:
            return
        for chunk in chunks:
            self._bytes += len(chunk)
            if self._bytes == self._length:
                self._write_once()
            self._store()
            yield chunk
        self._write_once()
        self._store()

    def _write_once(self) -> None:
        if not self._written:
            self._write(None)

    def _read_ahead(self, chunks: Iterator[bytes]) -> tuple[list[bytes], bool]:
        """What must be read before the head may leave, and whether it is all: one chunk, or more while an event must be on
        the disk first.
        """
        held = self._early
        size, ended = sum(map(len, held)), False
        for chunk in chunks:
            held.append(chunk)
            size += len(chunk)
            # With its length told, the event of an answer is there when its last byte leaves, also if nobody reads on.
            ended = size == self._length
            if ended or not self._must_wait() or size > MAX_HELD:
                break
        else:
            ended = True
        self._bytes = size
        return held, ended

    def _must_wait(self) -> bool:
        if self._mime == "text/event-stream":
            return False
        return bool(self._exchange.pending) or self._frame.durability_of(self._status or 500) == "sync"

    def _let_go(self, head: Head) -> None:
        status, headers = head
        extra = self._exchange.answer_headers
        more = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in extra]
        self._start_response(status, headers + more)
        self._left = True

    def _store(self) -> None:
        """Wait until every pending event is on disk.

        Raises:
            WriteError: the disk failed or took longer than `sync_timeout_s`, and the policy is to refuse.
        """
        pending, self._exchange.pending = self._exchange.pending, []
        if not pending:
            return
        late = wait(pending, self._frame.settings.sync_timeout_s).not_done
        failed = next((error for done in pending if done not in late and (error := done.exception())), None)
        if late:
            self._frame.late(TimeoutError())
        elif isinstance(failed, Exception):
            self._frame.late(failed)

    def _write(self, failure: str | None) -> None:
        self._written = True
        status = self._status if self._status is not None and (self._left or failure is None) else 500
        outcome = Outcome(
            status,
            self._started_us,
            clock.monotonic_ns() - self._started_ns,
            self._frame.durability_of(status),
            self._bytes,
            self._mime,
            failure,
        )
        self._frame.write(self._scope, self._root, self._exchange, outcome)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
