import { describe, expect, it } from "vitest";
import type { Alert } from "../api/models";
import { clock } from "../lib/format";
import { story, tagText } from "./words";

const ALERT: Alert = {
  id: "a", rule_id: "r", rule_code: "A4", first_us: null, targets: {}, description: "", rule_name: "Signature guessing", level: "high", status: "open", at_us: 10_000_000, group: { "source.ip": "203.0.113.7" },
  events: [], count: 4, tags: [], lag_ms: 3, response: "", assignee: "", reason: "", note: "", changed_us: null,
};
const at = (seconds: number) => ({ "@timestamp": new Date(seconds * 1000).toISOString() });

describe("story", () => {
  it("tells how many, who, how long and when", () => {
    expect(story(ALERT, [at(5), at(8)])).toBe(`4 events from address 203.0.113.7 within 3 s completed this rule, the last at ${clock(8_000_000)}.`);
  });
  it("does without events", () => {
    expect(story({ ...ALERT, count: 1, group: { "x.y": "z" } }, [])).toBe(`1 event with x.y z completed this rule, at ${clock(10_000_000)}.`);
  });
});

describe("tagText", () => {
  it.each([
    ["attack.t1550.001", "T1550.001"],
    ["attack.initial-access", "initial access"],
    ["cve.2015.9235", "cve.2015.9235"],
  ])("%s", (tag, shown) => expect(tagText(tag)).toBe(shown));
});
