/** From the answer of `GET histogram` to what is drawn. */
import type { Bucket, Histogram } from "../api/models";

/** Columns for the chart: time in seconds, then three cumulated heights, the tallest first so that each is drawn over the last. */
export type Columns = [time: number[], all: number[], ok: number[], unknown: number[]];

/** Failures stand on top of successes, unknown at the bottom. */
export function columns(buckets: readonly Bucket[]): Columns {
  return [
    buckets.map((bucket) => bucket.start_us / 1_000_000),
    buckets.map((bucket) => bucket.unknown + bucket.success + bucket.failure),
    buckets.map((bucket) => bucket.unknown + bucket.success),
    buckets.map((bucket) => bucket.unknown),
  ];
}

export interface Totals {
  readonly success: number;
  readonly failure: number;
  readonly unknown: number;
}

export function totals(buckets: readonly Bucket[]): Totals {
  return buckets.reduce<Totals>(
    (sum, bucket) => ({ success: sum.success + bucket.success, failure: sum.failure + bucket.failure, unknown: sum.unknown + bucket.unknown }),
    { success: 0, failure: 0, unknown: 0 },
  );
}

/** The span of one bar. */
export function spanOf(histogram: Histogram, at: number): [fromUs: number, toUs: number] {
  const start = histogram.buckets[at]?.start_us ?? histogram.from_us;
  return [start, start + histogram.interval_us];
}

/** A dragged span cut to whole bars: what one sees is what one gets. Null when it is less than a bar's half. */
export function brushed(histogram: Histogram, fromUs: number, toUs: number): [number, number] | null {
  const { interval_us: interval, buckets } = histogram;
  const origin = buckets[0]?.start_us;
  if (origin === undefined || toUs - fromUs < interval / 2) return null;
  const first = Math.max(0, Math.floor((fromUs - origin) / interval));
  const last = Math.min(buckets.length, Math.max(first + 1, Math.ceil((toUs - origin) / interval)));
  return [origin + first * interval, origin + last * interval];
}
