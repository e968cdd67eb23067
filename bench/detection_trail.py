"""A week of everyday requests as segments, made by SQL: sessions of an hour, a few errors, now and then an attack."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from bench.query_trail import BenchSegment, BenchTrail
from jwtrail.clock import parse_iso

__all__ = ["made"]

BEGIN_US = parse_iso("2026-09-01T00:00:00Z")
WEEK_US = 7 * 86_400_000_000
ROWS = 16_384

# Somebody in `people` calls one of six routes, one time in twenty without a token; one call in 25 fails.
_SELECT = """
SELECT
  make_timestamp(t) AS "@timestamp", '9.2.0' AS "ecs.version", 'http-request' AS "event.action",
  ['web', 'api'] AS "event.category", 'jwtrail.access' AS "event.dataset", 500000 + h % 40000000 AS "event.duration",
  format('01a1{{:08x}}-7000-8000-9000-{{:012x}}', i, i) AS "event.id", 'event' AS "event.kind",
  CASE WHEN bad < 40 THEN 'failure' ELSE 'success' END AS "event.outcome",
  CASE WHEN bad < 10 THEN 'expired' WHEN bad = 10 AND h % 40 = 0 THEN 'signature_invalid' WHEN i % 100003 = 7 THEN 'alg_none' END
    AS "event.reason",
  CASE WHEN h % 4 = 0 THEN 'POST' ELSE 'GET' END AS "http.request.method", h % 4096 AS "http.response.bytes",
  CASE WHEN bad < 12 THEN 401 WHEN bad < 20 THEN 403 WHEN bad < 40 THEN 404 ELSE 200 END::BIGINT AS "http.response.status_code",
  CASE WHEN h % 6 < 3 THEN path || '/{{id}}' ELSE path END AS "http.route",
  CASE WHEN known THEN format('01b2{{:08x}}-7000-8000-9000-{{:012x}}', who, t // 3600000000) END AS "jwt.jti",
  CASE WHEN known THEN true END AS "jwt.known",
  CASE WHEN h % 6 < 3 THEN object END AS "jwtrail.object.id", CASE WHEN known THEN 'required' ELSE 'public' END AS "jwtrail.policy",
  'w1' AS "jwtrail.writer", i + 1 AS "jwtrail.writer_seq",
  format('203.0.{{}}.{{}}', who // 250, who % 250) AS "source.ip", 'shop.example' AS "url.domain",
  CASE WHEN h % 6 < 3 THEN path || '/' || object ELSE path END AS "url.path",
  CASE WHEN known THEN 'u' || who END AS "user.id",
  'Mozilla/5.0 (X11; Linux x86_64) Firefox/14' || who % 5 AS "user_agent.original",
  i AS "event.sequence"
FROM (
  SELECT i, t, h, who, bad, (h % 20) > 0 AS known, (h // 7 % 5000)::VARCHAR AS object, ['/orders', '/products', '/me'][h % 3 + 1] AS path
  FROM (
    SELECT range AS i, {begin} + range * {step} AS t, (hash(range, 1) >> 1)::BIGINT AS h, (hash(range, 2) % {people})::BIGINT AS who,
      (hash(range, 3) % 1000)::BIGINT AS bad
    FROM range({first}, {last} + 1)
  )
)
"""


def made(folder: Path, count: int) -> BenchTrail:
    """Segments of so many events; a week has 500 of each person."""
    bounds = [(first, min(first + ROWS, count) - 1) for first in range(0, count, ROWS)]
    pace = (WEEK_US // count, max(10, count // 500))
    with duckdb.connect(config={"threads": 1}) as connection, ThreadPoolExecutor(2) as pool:
        return BenchTrail(tuple(pool.map(lambda pair: _segment(connection, folder, pair, pace), bounds)))


def _segment(
    connection: duckdb.DuckDBPyConnection, folder: Path, bounds: tuple[int, int], pace: tuple[int, int]
) -> BenchSegment:
    (first, last), (step, people) = bounds, pace
    path = folder / f"{first:012d}-{last:012d}.parquet"
    query = _SELECT.format(begin=BEGIN_US, step=step, people=people, first=first, last=last)
    with connection.cursor() as cursor:
        cursor.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192)")
        columns = frozenset(name for name, *_ in cursor.execute(f"DESCRIBE FROM '{path}'").fetchall())
    rows = last - first + 1
    return BenchSegment(path, first, last, BEGIN_US + first * step, BEGIN_US + last * step, rows, columns)
