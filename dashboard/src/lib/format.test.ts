import { describe, expect, it } from "vitest";
import { ago, compact, duration, plural, valueText } from "./format";

describe("format", () => {
  it.each([
    [850, "850 µs"],
    [12_400, "12.4 ms"],
    [2_000_000, "2 s"],
    [125_000_000, "2 min 5 s"],
    [7_200_000_000, "2 h"],
  ])("duration %d", (us, text) => expect(duration(us)).toBe(text));

  it.each([
    [0, "just now"],
    [40, "40 s ago"],
    [600, "10 min ago"],
    [7200, "2 h ago"],
    [400_000, "5 d ago"],
  ])("ago %d s", (seconds, text) => expect(ago(0, seconds * 1_000_000)).toBe(text));

  it("counts", () => {
    expect(compact(9_999)).toBe("9,999");
    expect(compact(1_250_000)).toBe("1.3M");
    expect(plural(1, "event")).toBe("1 event");
    expect(plural(2, "address", "addresses")).toBe("2 addresses");
  });

  it("flattens values", () => {
    expect(valueText(["a", 1, true])).toBe("a, 1, true");
    expect(valueText({ tenant: "x" })).toBe('{"tenant":"x"}');
    expect(valueText(null)).toBe("");
  });
});
