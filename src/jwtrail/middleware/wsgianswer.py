"""One WSGI response on its way to the client, and the event that is written about it."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from contextlib import suppress
from types import TracebackType
from typing import Any

from jwtrail import clock
from jwtrail.errors import WriteError
from jwtrail.middleware.account import Outcome
from jwtrail.middleware.answers import AWAY, DENIED
from jwtrail.middleware.exchange import Exchange, current
from jwtrail.middleware.frame import Frame, Scope

__all__ = ["MAX_HELD", "App", "Environ", "StartResponse", "WsgiAnswer"]

MAX_HELD = 65_536
"""Bytes of an answer that wait for their head. The event of a longer denial is written without having seen its end."""

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
Head = tuple[str, list[tuple[str, str]]]

_AWAY_HEAD: Head = (
    "503 Service Unavailable",
    [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(AWAY))),
        ("Cache-Control", "no-store"),
        ("Retry-After", "1"),
    ],
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
        self._pass: Callable[[bytes], object] = self._early.append

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """What the application calls in place of the server's `start_response`."""
        if exc_info is not None and (self._left or self._early):
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self._head is not None:
            raise RuntimeError("the application called start_response twice")
        self._head = (status, list(headers))
        self._status = int(status[:3])
        named = {name.lower(): value for name, value in headers}
        self._mime = named["content-type"].partition(";")[0] if "content-type" in named else None
        self._length = _number(named.get("content-length", ""))
        return self._write_early

    def _write_early(self, chunk: bytes) -> None:
        """What a framework that returns no iterable writes (PEP 3333 section "The write() Callable"): the beginning is held
        like that of any other answer, the rest passes.
        """
        self._bytes += len(chunk)
        if not self._left:
            self._early.append(chunk)
            if self._bytes <= MAX_HELD:
                return
            written = self._depart(ended=False)
            chunk = b"".join(self._early) if written else AWAY
            self._early.clear()
            self._pass(chunk)
            if not written:
                raise WriteError("an event could not be written", hint="see http.write_failure")
        else:
            self._pass(chunk)

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
        try:
            self._write("ClientDisconnect" if error is None else type(error).__name__, self._bytes)
            self._store()
        except WriteError:
            if error is None:  # else the application's own error is the one to hear of
                raise

    def _sent(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks of the answer, each when it may leave."""
        if not self._left:
            held, chunks, ended = self._read_ahead(chunks)
            if self._head is None:
                raise RuntimeError("the application answered without start_response")
            if not self._depart(ended):
                yield AWAY
                return
            yield from held
            held.clear()
        for chunk in chunks:
            self._bytes += len(chunk)
            if self._is_whole():
                self._write_once(self._bytes)
            self._store()
            yield chunk
        self._write_once(self._bytes)
        self._store()

    def _read_ahead(self, chunks: Iterator[bytes]) -> tuple[list[bytes], Iterator[bytes], bool]:
        """What must be read before the head may leave, what is left of the answer, and whether its end is known: one chunk,
        or more while an event must be on the disk first.
        """
        held = self._early
        for chunk in chunks:
            held.append(chunk)
            self._bytes += len(chunk)
            # With its length told, the event of an answer is there when its last byte leaves, also if nobody reads on.
            if self._is_whole():
                return held, chunks, True
            if not self._must_wait() or self._bytes > MAX_HELD:
                return held, chunks, False
        return held, iter(()), True

    def _depart(self, ended: bool) -> bool:
        """Let the head go, as soon as everything that must be on the disk before it is there. False when it cannot be: the
        answer is that of `AWAY` then, and has none of the cookies and tokens that belong to the other.
        """
        assert self._head is not None
        try:
            if ended:
                self._write_once(self._bytes)
            elif self._status in DENIED:
                self._write_once(self._length)
            self._store()
        except WriteError:
            self._status, self._mime, self._bytes = 503, "application/json", len(AWAY)
            with suppress(WriteError):
                self._write_once(self._bytes)
            self._leave(*_AWAY_HEAD)
            return False
        status, headers = self._head
        extra = self._exchange.answer_headers
        self._leave(
            status, headers + [(name.decode("latin-1"), value.decode("latin-1")) for name, value in extra]
        )
        return True

    def _leave(self, status: str, headers: list[tuple[str, str]]) -> None:
        self._pass = self._start_response(status, headers)
        self._left = True

    def _must_wait(self) -> bool:
        if self._mime == "text/event-stream" and self._status not in DENIED:
            return False
        return bool(self._exchange.pending) or self._frame.durability_of(self._status or 500) == "sync"

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

    def _is_whole(self) -> bool:
        return self._length is not None and self._bytes >= self._length

    def _write_once(self, size: int | None) -> None:
        if not self._written:
            self._write(None, size)

    def _write(self, failure: str | None, size: int | None) -> None:
        self._written = True
        status = self._status if self._status is not None and (self._left or failure is None) else 500
        outcome = Outcome(
            status,
            self._started_us,
            clock.monotonic_ns() - self._started_ns,
            self._frame.durability_of(status),
            size,
            self._mime,
            failure,
        )
        self._frame.write(self._scope, self._root, self._exchange, outcome)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
