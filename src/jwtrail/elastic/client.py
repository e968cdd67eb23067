"""One client for Elasticsearch and OpenSearch: kept connections, bounded answers, errors in the engine's own words.

`Engine` may be used by several threads. It never repeats a request that the engine may have carried out, except those
that change nothing or say so (`safe`).
"""

import itertools
import zlib
from typing import Any, Self

import msgspec

from jwtrail import __version__, clock
from jwtrail.elastic.address import Address, Flavour, address_of
from jwtrail.elastic.answer import Answer, refusal
from jwtrail.elastic.features import Features, Product, probe, recognise
from jwtrail.elastic.settings import EngineSettings
from jwtrail.elastic.signing import signer_of
from jwtrail.elastic.wire import Call, Node
from jwtrail.errors import ConfigError, EngineAway

__all__ = ["Answer", "Engine", "Features", "connect"]

REST_S = 10.0
"""A node that could not be reached is asked last for so long."""

COMPRESS_FROM = 1024
"""Bytes of a body from which gzip is worth its header."""


def connect(url: str, settings: EngineSettings | None = None) -> "Engine":
    """Reach an engine and find out what it is.

    Args:
        url: see `address.address_of`; never with credentials.
        settings: credentials, TLS, time limit.

    Raises:
        ConfigError: the address or the settings cannot be right.
        EngineAway: nobody answers there, or not with the right certificate.
        EngineError: what answers refuses us, or is neither Elasticsearch nor OpenSearch.
    """
    engine = Engine(address_of(url), settings or EngineSettings())
    try:
        engine.product = recognise(engine.request, engine.address.flavour)
    except BaseException:
        engine.close()
        raise
    return engine


class Engine:
    """An Elasticsearch or OpenSearch; `connect` makes it and fills in `product`.

    Attributes:
        address: where it is.
        product: flavour and version.
    """

    product: Product

    def __init__(self, address: Address, settings: EngineSettings) -> None:
        plain_is_fine = address.is_loopback or settings.plain_credentials
        if address.scheme == "http" and settings.signs_in and not plain_is_fine:
            raise ConfigError(
                "credentials over plain HTTP can be read on the way",
                where=str(address),
                hint="use TLS, or set engine.plain_credentials where the network encrypts by itself",
            )
        self.address = address
        self._timeout_s = settings.timeout_s
        self._compress = settings.compress == "yes" or (
            settings.compress == "auto" and not address.is_loopback
        )
        signer = signer_of(settings)
        self._nodes = [Node(address.scheme, host, port, settings, signer) for host, port in address.nodes]
        self._resting = [0] * len(self._nodes)
        self._turn = itertools.count()
        self._features: Features | None = None

    @property
    def flavour(self) -> Flavour:
        return self.product.flavour

    @property
    def version(self) -> tuple[int, int, int]:
        return self.product.version

    @property
    def features(self) -> Features:
        """What it can do, asked once."""
        if self._features is None:
            self._features = probe(self.request, self.product)
        return self._features

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        ndjson: bytes | None = None,
        timeout_s: float | None = None,
        allow: tuple[int, ...] = (),
        safe: bool = False,
    ) -> Answer:
        """Send one request and read the whole answer.

        Args:
            path: with its query, already percent-encoded; starts with a slash.
            body: sent as JSON.
            ndjson: sent as it is; for `_bulk` and `_msearch`.
            timeout_s: for this answer, instead of the setting.
            allow: statuses from 400 on that are an answer to the caller, not an error.
            safe: the request may be sent twice, such as a search by POST.

        Raises:
            EngineAway: no answer; `maybe_done` says whether the engine may have carried it out.
            EngineError: any other status from 400 on, or an answer that is too large.
        """
        headers = {"accept": "application/json", "user-agent": f"jwtrail/{__version__}"}
        data = ndjson
        if ndjson is not None:
            headers["content-type"] = "application/x-ndjson"
        elif body is not None:
            data = msgspec.json.encode(body)
            headers["content-type"] = "application/json"
        if self._compress:
            headers["accept-encoding"] = "gzip"
            if data is not None and len(data) >= COMPRESS_FROM:
                data = zlib.compress(data, 1, wbits=31)  # 31: with gzip's header
                headers["content-encoding"] = "gzip"
        call = Call(method, self.address.prefix + path, data, headers, timeout_s or self._timeout_s)
        answer = self._sent(call, repeat=safe or method in ("GET", "HEAD"))
        if answer.status >= 400 and answer.status not in allow:
            raise refusal(answer, f"{method} {path.partition('?')[0]}")
        return answer

    def close(self) -> None:
        """Close what is kept open."""
        for node in self._nodes:
            node.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sent(self, call: Call, *, repeat: bool) -> Answer:
        """The answer of the first node that gives one; what may have been carried out goes nowhere else."""
        failed: EngineAway | None = None
        for number in self._order():
            # A server closes an idle connection whenever it likes, so one repetition on a fresh one is fair.
            for _ in range(2 if repeat else 1):
                try:
                    return self._nodes[number].send(call)
                except EngineAway as away:
                    failed = away
                    if away.timed_out or not away.maybe_done:
                        break
            self._resting[number] = clock.monotonic_ns() + int(REST_S * 1e9)
            if failed is not None and failed.maybe_done and not repeat:
                break
        assert failed is not None
        raise failed

    def _order(self) -> list[int]:
        """Nodes in turn, those that could not be reached a moment ago last."""
        start, now, count = next(self._turn), clock.monotonic_ns(), len(self._nodes)
        numbers = [(start + step) % count for step in range(count)]
        return sorted(numbers, key=lambda number: self._resting[number] > now)
