"""One node of an engine: kept connections, whole and bounded answers, and one kind of error when there is none."""

import ssl

import urllib3
from msgspec import Struct
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError, SSLError

from jwtrail import clock
from jwtrail.elastic.answer import Answer
from jwtrail.elastic.settings import EngineSettings
from jwtrail.elastic.signing import Signer
from jwtrail.elastic.tls import tls_context
from jwtrail.errors import EngineAway, EngineError

__all__ = ["CONNECT_S", "MAX_ANSWER", "MAX_CONNECTIONS", "Call", "Node"]

MAX_ANSWER = 256 << 20
"""Bytes of one answer, unpacked; a page of 10,000 events has about 10 MB."""

MAX_CONNECTIONS = 16
"""Kept to one node; more at once open and close theirs."""

CONNECT_S = 5.0
"""For the way to a node: another one is tried then."""

_CHUNK = 1 << 18
_TLS_HINT = (
    "name the authority with engine.ca_file or its engine.fingerprint; a server without TLS is elasticsearch+http:// "
    "or opensearch+http://"
)


class Call(Struct, frozen=True):
    """One request as it goes over the wire.

    Args:
        target: path and query.
        limit_s: for the whole answer.
    """

    method: str
    target: str
    data: bytes | None
    headers: dict[str, str]
    limit_s: float


class Node:
    """One host and port; may be used by several threads.

    Raises:
        EngineAway: a pinned certificate was not found there.
    """

    def __init__(self, scheme: str, host: str, port: int, settings: EngineSettings, signer: Signer) -> None:
        self.where = f"{scheme}://{host}:{port}"
        self._signer = signer
        self._pool = self._made(scheme, host, port, settings)

    def send(self, call: Call) -> Answer:
        """The whole answer.

        Raises:
            EngineAway: there is none.
            EngineError: it is larger than `MAX_ANSWER`.
        """
        begun = clock.monotonic_ns()
        try:
            response = self._pool.urlopen(
                call.method,
                call.target,
                body=call.data,
                headers=self._signer(call.method, self.where + call.target, call.data, call.headers),
                timeout=urllib3.Timeout(connect=min(CONNECT_S, call.limit_s), read=call.limit_s),
                redirect=False,
                preload_content=False,
            )
            raw = self._body(response, begun + int(call.limit_s * 1e9))
        except (HTTPError, OSError) as error:
            raise self._away(error) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, raw, (clock.monotonic_ns() - begun) / 1e6)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.close()

    @staticmethod
    def _made(scheme: str, host: str, port: int, settings: EngineSettings) -> urllib3.HTTPConnectionPool:
        if scheme == "http":
            return urllib3.HTTPConnectionPool(host, port, maxsize=MAX_CONNECTIONS, retries=False)
        context = tls_context(settings, host, port, CONNECT_S)
        return urllib3.HTTPSConnectionPool(
            host,
            port,
            maxsize=MAX_CONNECTIONS,
            retries=False,
            ssl_context=context,
            assert_hostname=None if context.check_hostname else False,
        )

    def _body(self, response: urllib3.BaseHTTPResponse, end_ns: int) -> bytes:
        body = bytearray()
        whole = False
        try:
            # What is there, not until a part is full: else each byte of a slow answer would have the whole time anew.
            while part := response.read1(_CHUNK, decode_content=True):
                body += part
                self._bound(len(body), end_ns)
            whole = True
        finally:
            if whole:
                response.release_conn()
            else:  # what is left of it must not be taken for the next answer
                response.close()
        return bytes(body)

    def _bound(self, size: int, end_ns: int) -> None:
        if size > MAX_ANSWER:
            raise EngineError(
                f"an answer of more than {MAX_ANSWER} bytes", where=self.where, hint="ask for less"
            )
        if clock.monotonic_ns() > end_ns:
            raise TimeoutError("the answer came too slowly")

    def _away(self, error: Exception) -> EngineAway:
        if isinstance(error, SSLError | ssl.SSLError):
            words = f"no trust in its certificate: {_words(error)}"
            return EngineAway(words, maybe_done=False, where=self.where, hint=_TLS_HINT)
        if isinstance(error, NewConnectionError | ConnectTimeoutError):
            return EngineAway(
                "nobody answers",
                maybe_done=False,
                where=self.where,
                hint="is the engine running there, and the scheme right?",
            )
        late = isinstance(error, ReadTimeoutError | TimeoutError)
        return EngineAway(
            f"no whole answer: {_words(error)}", maybe_done=True, timed_out=late, where=self.where
        )


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
