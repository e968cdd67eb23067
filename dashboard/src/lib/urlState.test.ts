import { describe, expect, it } from "vitest";
import { formatUrl, href, INITIAL, parseUrl, type UrlState } from "./urlState";

describe("the address", () => {
  it("says nothing when nothing differs", () => expect(formatUrl(INITIAL)).toBe(""));

  it("gives back what was put in", () => {
    const state: UrlState = {
      screen: "discover",
      q: 'user.id : "a&b=c" and not url.path : /x*',
      from: "2026-11-23T16:46:55.000012Z",
      to: "now",
      live: true,
      event: "0193-abc",
      alert: "x",
      status: "",
    };
    expect(parseUrl(formatUrl(state))).toEqual(state);
  });

  it("falls back on what is wrong", () => {
    expect(parseUrl("?screen=../../etc&from=never&to=now-1q&live=yes")).toEqual(INITIAL);
  });

  it("cuts what is too long", () => expect(parseUrl(`?q=${"x".repeat(9000)}`).q).toHaveLength(8192));

  it("makes links relative to the page", () => {
    expect(href(INITIAL, { screen: "alerts" })).toBe("?screen=alerts");
    expect(href({ ...INITIAL, screen: "alerts" }, { screen: "overview" })).toBe("?");
  });
});
