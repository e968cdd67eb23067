import { describe, expect, it } from "vitest";
import { adjust, between, isMoment, isoUs, label, momentUs, parseUs } from "./timeRange";

const NOW = Date.parse("2026-11-23T16:46:55.123Z") * 1000;

describe("momentUs", () => {
  it.each([
    ["now", "2026-11-23T16:46:55.123000Z"],
    ["now-15m", "2026-11-23T16:31:55.123000Z"],
    ["now+1d", "2026-11-24T16:46:55.123000Z"],
    ["now/d", "2026-11-23T00:00:00.000000Z"],
    ["now-1d/d", "2026-11-22T00:00:00.000000Z"],
    ["now/w", "2026-11-23T00:00:00.000000Z"],
    ["now-2M/M", "2026-09-01T00:00:00.000000Z"],
    ["now/y", "2026-01-01T00:00:00.000000Z"],
    ["2026-11-23T16:46:55.000012Z", "2026-11-23T16:46:55.000012Z"],
  ])("reads %s", (text, iso) => expect(isoUs(momentUs(text, NOW))).toBe(iso));

  it("refuses what is no time", () => {
    for (const text of ["", "yesterday-ish", "now-", "now-1q", "now--1d"]) expect(isMoment(text)).toBe(false);
  });
});

describe("microseconds", () => {
  it("survive the way through text", () => {
    for (const us of [0, 1, 999, 1_000, NOW + 7, NOW + 999_999]) expect(parseUs(isoUs(us))).toBe(us);
  });

  it("are read with an offset and with fewer digits", () => {
    expect(parseUs("2026-11-23T17:46:55.5+01:00")).toBe(parseUs("2026-11-23T16:46:55.500000Z"));
  });
});

describe("label", () => {
  it.each([
    ["now-1h", "now", "Last hour"],
    ["now-3h", "now", "Last 3 hours"],
    ["now-1d/d", "now/d", "now-1d/d → now/d"],
    ["1970-01-01T00:00:01Z", "now", "1000000 → now"],
  ])("%s to %s", (from, to, text) => expect(label({ from, to }, String)).toBe(text));
});

it("says a shared day once", () => {
  const day = (us: number) => new Date(us / 1000).toISOString().slice(0, 19).replace("T", " ");
  const range = { from: "2026-11-23T10:00:00Z", to: "2026-11-23T11:00:00Z" };
  expect(label(range, day)).toBe("2026-11-23 10:00:00 → 11:00:00");
  expect(label({ ...range, to: "2026-11-24T11:00:00Z" }, day)).toBe("2026-11-23 10:00:00 → 2026-11-24 11:00:00");
});

describe("adjust", () => {
  const range = between(1_000_000, 2_000_000);
  it.each([
    ["in", 1_250_000, 1_750_000],
    ["out", 500_000, 2_500_000],
    ["back", 500_000, 1_500_000],
    ["on", 1_500_000, 2_500_000],
  ] as const)("%s", (step, from, to) => expect(adjust(range, step, NOW)).toEqual(between(from, to)));

  it("never goes before the epoch or below the shortest span", () => {
    expect(adjust(between(0, 10), "back", NOW)).toEqual(between(0, 1_000));
    expect(adjust(between(5_000, 6_000), "in", NOW)).toEqual(between(5_250, 6_250));
  });
});
