"""Millions of events for the query bench: made by SQL as segments are, and the same events for OpenSearch."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
from msgspec import Struct

from jwtrail.clock import parse_iso
from jwtrail.ecs import CATALOGUE, Event

__all__ = ["BEGIN_US", "PER_DAY", "BenchTrail", "documents", "made"]

BEGIN_US = parse_iso("2026-09-01T00:00:00Z")
PER_DAY = 1_000_000 // 7
"""Events a day: a million is a week, so a query about a day meets as many in a small trail as in a large one."""

ROWS = 16_384
"""What the daemon seals at once (`trail.seal_events`)."""
ROW_GROUP = 8192

# One access: a user with a few sessions, mostly good, now and then refused.
_SELECT = """
SELECT
  make_timestamp({begin} + i * 86400000000 // {per_day}) AS "@timestamp",
  '8.11.0' AS "ecs.version",
  'http-request' AS "event.action",
  ['web', 'api'] AS "event.category",
  'jwtrail.access' AS "event.dataset",
  500000 + (hash(i, 1) % 40000000)::BIGINT AS "event.duration",
  format('01a1{{:08x}}-7000-8000-9000-{{:012x}}', i, i) AS "event.id",
  'event' AS "event.kind",
  CASE WHEN r < 6 THEN 'failure' ELSE 'success' END AS "event.outcome",
  CASE WHEN r < 2 THEN 'expired' WHEN r < 3 THEN 'signature_invalid' WHEN r < 4 THEN 'scope_insufficient' END
    AS "event.reason",
  CASE WHEN r < 6 THEN ['access', 'denied'] ELSE ['access', 'allowed'] END AS "event.type",
  CASE WHEN hash(i, 2) % 4 = 0 THEN 'POST' ELSE 'GET' END AS "http.request.method",
  (hash(i, 3) % 4096)::BIGINT AS "http.response.bytes",
  CASE WHEN r < 3 THEN 401 WHEN r < 4 THEN 403 WHEN r < 6 THEN 404 ELSE 200 END::BIGINT AS "http.response.status_code",
  '/orders/{{order_id}}' AS "http.route",
  'EdDSA' AS "jwt.alg",
  'access' AS "jwt.kind",
  ['orders:read', 'orders:write'] AS "jwt.scope",
  'shop' AS "service.name",
  md5(i::VARCHAR) AS "trace.id",
  format('01b2{{:08x}}-7000-8000-9000-{{:012x}}', i // 20, hash(i // 20) % 1000000007) AS "jwt.jti",
  'orders' AS "jwtrail.object.type",
  (hash(i, 4) % 5000)::VARCHAR AS "jwtrail.object.id",
  format('203.0.{{}}.{{}}', hash(i // 20, 5) % 40, hash(i // 20, 6) % 250) AS "source.ip",
  'https' AS "url.scheme",
  'shop.example' AS "url.domain",
  '/orders/' || (hash(i, 4) % 5000) AS "url.path",
  'u' || (hash(i // 20, 7) % 2000) AS "user.id",
  'Mozilla/5.0 (X11; Linux x86_64) Firefox/14' || (hash(i // 20, 8) % 5) AS "user_agent.original",
  i AS "event.sequence"
FROM (SELECT range AS i, hash(range, 9) % 100 AS r FROM range({first}, {last} + 1))
"""


class BenchSegment(Struct, frozen=True):
    path: Path
    first: int
    last: int
    min_us: int
    max_us: int
    rows: int
    columns: frozenset[str]


class BenchTrail(Struct, frozen=True):
    """See `jwtrail.query.source.TrailSource`."""

    parts: tuple[BenchSegment, ...]

    def segments(self) -> tuple[BenchSegment, ...]:
        return self.parts

    def unsealed(self) -> tuple[Event, ...]:
        return ()

    @property
    def size(self) -> int:
        return self.parts[-1].last + 1

    @property
    def end_us(self) -> int:
        return self.parts[-1].max_us + 1


def made(folder: Path, count: int) -> BenchTrail:
    """Segments of so many events."""
    bounds = [(first, min(first + ROWS, count) - 1) for first in range(0, count, ROWS)]
    with duckdb.connect(config={"threads": 1}) as connection, ThreadPoolExecutor(2) as pool:
        return BenchTrail(tuple(pool.map(lambda pair: _segment(connection, folder, *pair), bounds)))


def _query(first: int, last: int) -> str:
    return _SELECT.format(begin=BEGIN_US, per_day=PER_DAY, first=first, last=last)


def _segment(connection: duckdb.DuckDBPyConnection, folder: Path, first: int, last: int) -> BenchSegment:
    path = folder / f"{first:012d}-{last:012d}.parquet"
    with connection.cursor() as cursor:
        cursor.execute(
            f"COPY ({_query(first, last)}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )
        columns = [name for name, *_ in cursor.execute(f"DESCRIBE FROM '{path}'").fetchall()]
    assert set(columns) <= set(CATALOGUE)
    return BenchSegment(path, first, last, _at(first), _at(last), last - first + 1, frozenset(columns))


def _at(number: int) -> int:
    return BEGIN_US + number * 86_400_000_000 // PER_DAY


def documents(trail: BenchTrail) -> Iterator[list[tuple[str, bytes]]]:
    """The same events as JSON, in portions."""
    with duckdb.connect() as connection:
        for segment in trail.parts:
            found = connection.execute(
                f"SELECT * REPLACE (strftime(\"@timestamp\", '%Y-%m-%dT%H:%M:%S.%fZ') AS \"@timestamp\") FROM '{segment.path}'"
            )
            names = [column[0] for column in found.description]
            for _ in range(0, segment.rows, 4096):
                rows = found.fetchmany(4096)
                yield [
                    (
                        str(row[names.index("event.sequence")]),
                        json.dumps({n: v for n, v in zip(names, row, strict=True) if v is not None}).encode(),
                    )
                    for row in rows
                ]
