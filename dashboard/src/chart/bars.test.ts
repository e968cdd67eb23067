import { describe, expect, it } from "vitest";
import type { Histogram } from "../api/models";
import { brushed, columns, spanOf, totals } from "./bars";

const bucket = (start_us: number, success: number, failure: number, unknown: number) => ({ start_us, success, failure, unknown });
const HISTOGRAM: Histogram = { interval_us: 10, from_us: 103, to_us: 130, buckets: [bucket(100, 5, 2, 1), bucket(110, 0, 0, 0), bucket(120, 1, 4, 0)] };

describe("bars", () => {
  it("stack without hiding anything", () => {
    expect(columns(HISTOGRAM.buckets).slice(1)).toEqual([[8, 0, 5], [6, 0, 1], [1, 0, 0]]);
  });
  it("add up", () => expect(totals(HISTOGRAM.buckets)).toEqual({ success: 6, failure: 6, unknown: 1 }));
  it("know their span", () => expect(spanOf(HISTOGRAM, 1)).toEqual([110, 120]));

  it.each([
    [104, 116, [100, 120]],
    [90, 999, [100, 130]],
    [112, 118, [110, 120]],
    [112, 113, null],
  ])("brush %d to %d", (from, to, span) => expect(brushed(HISTOGRAM, from, to)).toEqual(span));
});
