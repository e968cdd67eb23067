"""An engine as a sink: `_bulk` with `create`, each document under its `event.hash`.

An id is unique within one backing index only. A create that is repeated there is refused (409) and counts as done. When the
data stream has rolled over in between it would be taken a second time: so whatever may have been carried out before is
looked up by id in all backing indexes first, and only what is not found is sent.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from jwtrail.elastic.client import Engine
from jwtrail.elastic.streams import DATASETS, stream_of
from jwtrail.errors import ConfigError, EngineAway, EngineError
from jwtrail.ship.sink import Receipt, Refusal, SinkAway
from jwtrail.trail.documents import Document

__all__ = ["BulkSink"]

MAX_CAUSE = 300
"""Characters of a cause that are kept: an engine's words may repeat the document."""

_ANSWER = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_BUSY = (429, 503, 408)
_WAITS = (401, 403, 404, 408, 409, 429)
"""Statuses below 500 of a whole request that say nothing about its documents."""


class _Error(Struct, frozen=True):
    type: str = ""
    reason: str | None = ""


class _Done(Struct, frozen=True):
    status: int
    error: _Error | None = None


class _Item(Struct, frozen=True):
    create: _Done | None = None
    index: _Done | None = None


class _Bulk(Struct, frozen=True):
    errors: bool
    items: list[_Item] = []


class _Hit(Struct, frozen=True):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    seq_no: int = msgspec.field(name="_seq_no", default=-1)
    term: int = msgspec.field(name="_primary_term", default=-1)


class _Hits(Struct, frozen=True):
    hits: list[_Hit] = []


class _Found(Struct, frozen=True):
    hits: _Hits = _Hits()


class BulkSink:
    """The data streams of one namespace in Elasticsearch or OpenSearch.

    Args:
        engine: closed with the sink.
        namespace: last part of the streams' names.
        parallel: requests at once.
    """

    def __init__(self, engine: Engine, namespace: str, parallel: int) -> None:
        self._engine = engine
        self._streams = {dataset: stream_of(dataset, namespace) for dataset in DATASETS}
        self._default = self._streams[DATASETS[0]]  # of events without a data set that we know
        self._all = ",".join(self._streams.values())
        self.parallel = parallel
        self.name = f"{engine.address}#{namespace}"

    def open(self) -> int:
        """See `Sink.open`.

        Raises:
            ConfigError: no template says what the fields are: the engine would guess, and guess wrongly.
            EngineError: it refuses us.
        """
        for stream in self._streams.values():
            self._expect_template(stream)
        self._refresh()
        body = {"size": 0, "aggs": {"last": {"max": {"field": "event.sequence"}}}}
        found = self._engine.request(
            "POST", f"/{self._all}/_search?ignore_unavailable=true", body=body, safe=True
        ).json
        last = found.get("aggregations", {}).get("last", {}).get("value")
        return 0 if last is None else int(last) + 1

    def send(self, documents: Sequence[Document], *, again: bool) -> Receipt:
        """See `Sink.send`."""
        places = range(len(documents))
        if again:
            there = {hit.id for hit in self._hits(documents)}
            places = [place for place in places if documents[place].id not in there]  # type: ignore[assignment]
        if not places:
            return Receipt(there=len(documents))
        wanted = documents if len(places) == len(documents) else [documents[place] for place in places]
        try:
            answer = self._bulk(self._creates(wanted), f"/{self._default}/_bulk?{_ANSWER}")
        except SinkAway as away:
            if not away.too_large or len(wanted) > 1:
                raise
            (one,) = wanted
            refused = Refusal(one.sequence, one.id, away.message[:MAX_CAUSE])
            return Receipt((refused,), there=len(documents) - 1)
        return _receipt(documents, places, answer)

    def rewrite(self, documents: Sequence[Document]) -> Receipt:
        """See `Rewriting.rewrite`. Only the version that was seen is replaced: nothing is written over unseen."""
        by_id = {one.id: (place, one) for place, one in enumerate(documents)}
        hits = self._hits(documents)
        if not hits:
            return Receipt()
        lines: list[bytes] = []
        for hit in hits:
            action = {
                "_index": hit.index, "_id": hit.id, "if_seq_no": hit.seq_no, "if_primary_term": hit.term
            }  # fmt: skip
            lines += [msgspec.json.encode({"index": action}), b"\n", by_id[hit.id][1].body, b"\n"]
        answer = self._bulk(b"".join(lines), f"/_bulk?{_ANSWER}")
        places = [by_id[hit.id][0] for hit in hits]
        made = _receipt(documents, places, answer)
        # Somebody else changed it in between: look again.
        changed = [
            place
            for place, item in zip(places, answer.items, strict=False)
            if item.index is not None and item.index.status == 409
        ]
        return msgspec.structs.replace(made, busy=tuple(sorted({*made.busy, *changed})), there=0)

    def close(self) -> None:
        """See `Sink.close`."""
        self._engine.close()

    def _expect_template(self, stream: str) -> None:
        if self._engine.request("HEAD", f"/{stream}", allow=(401, 403, 404)).status == 200:
            return  # OpenSearch fails to simulate what is there already
        answer = self._engine.request(
            "POST", f"/_index_template/_simulate_index/{stream}", allow=(401, 403, 404, 405)
        )
        if answer.status in (401, 403, 405):
            return  # a role that may only write need not see templates
        found: Any = answer.json or {}
        mappings = found.get("template", {}).get("mappings", {})
        if not mappings.get("properties"):
            raise ConfigError(
                f"the engine has no template for {stream}",
                where=str(self._engine.address),
                hint=f"once: jwtrail provision {self._engine.address}",
            )

    def _creates(self, documents: Sequence[Document]) -> bytes:
        parts: list[bytes] = []
        for one in documents:
            stream = self._streams.get(one.dataset, self._default)
            elsewhere = b"" if stream == self._default else b'"_index":"%b",' % stream.encode()
            parts.append(b'{"create":{%b"_id":"%b"}}\n%b\n' % (elsewhere, one.id.encode(), one.body))
        return b"".join(parts)

    def _bulk(self, body: bytes, path: str) -> _Bulk:
        try:
            return self._engine.request("POST", path, ndjson=body).read(_Bulk)
        except EngineError as error:
            raise _away(error) from error

    def _hits(self, documents: Sequence[Document]) -> list[_Hit]:
        """Where documents with these ids are, in all backing indexes."""
        query = {
            "query": {"ids": {"values": [one.id for one in documents]}},
            "_source": False, "size": 2 * len(documents), "seq_no_primary_term": True, "track_total_hits": False,
        }  # fmt: skip
        wanted = "filter_path=hits.hits._index,hits.hits._id,hits.hits._seq_no,hits.hits._primary_term"
        try:
            self._refresh()
            return (
                self._engine.request(
                    "POST", f"/{self._all}/_search?ignore_unavailable=true&{wanted}", body=query, safe=True
                )
                .read(_Found)
                .hits.hits
            )
        except EngineError as error:
            raise _away(error) from error

    def _refresh(self) -> None:
        """Make what was written searchable; nothing is done where there is no stream yet."""
        self._engine.request("POST", f"/{self._all}/_refresh?ignore_unavailable=true", safe=True)


def _receipt(documents: Sequence[Document], places: Iterable[int], answer: _Bulk) -> Receipt:
    if not answer.errors:
        count = sum(1 for _ in places)
        return Receipt(there=len(documents) - count)
    refused, busy, there, uncertain, sent, why = [], [], 0, False, 0, ""
    for place, item in zip(places, answer.items, strict=True):
        done = item.create or item.index
        assert done is not None
        sent += 1
        if done.status == 409:
            there += 1
        elif done.status in _BUSY or done.status >= 500 or _is_blocked(done):
            busy.append(place)
            why = why or _cause(done)
            uncertain = uncertain or done.status != 429
        elif done.status >= 400:
            one = documents[place]
            refused.append(Refusal(one.sequence, one.id, _cause(done)))
    return Receipt(tuple(refused), tuple(busy), uncertain, there + len(documents) - sent, why=why)


def _is_blocked(done: _Done) -> bool:
    """The index takes nothing now (a full disk, a block by hand): the document is not to blame."""
    return done.status in (401, 403, 404)


def _cause(done: _Done) -> str:
    error = done.error or _Error()
    return f"{done.status} {error.type}: {error.reason or ''}"[:MAX_CAUSE]


def _away(error: EngineError) -> SinkAway:
    """The same, as what a shipper knows to do."""
    maybe = error.maybe_done if isinstance(error, EngineAway) else error.status >= 500
    # A request that is refused as a whole, though its documents may be good: the single one to blame is found by halving.
    too_large = error.status == 413 or (400 <= error.status < 500 and error.status not in _WAITS)
    return SinkAway(
        error.message, maybe_done=maybe, too_large=too_large, retry_after_s=error.retry_after_s,
        where=error.where, hint=error.hint,
    )  # fmt: skip
