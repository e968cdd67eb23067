import { describe, expect, it } from "vitest";
import { pieces, visible } from "./visible";

describe("visible", () => {
  it("leaves ordinary text of any script alone", () => {
    for (const text of ["", "GET /orders/7", "안녕하세요 мир 日本", "naïve café", "😀"]) expect(visible(text)).toBe(text);
  });

  it.each([
    ["a\u202eb", "a⟨U+202E⟩b"],
    ["\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"],
    ["ad\u200bmin", "ad⟨U+200B⟩min"],
    ["line\r\nforged", "line⟨\\r⟩⟨\\n⟩forged"],
    ["\u001b[31mred", "⟨U+001B⟩[31mred"],
    ["tag\u{e0041}", "tag⟨U+E0041⟩"],
    ["\ufeffbom", "⟨U+FEFF⟩bom"],
    ["half\ud800", "half⟨U+D800⟩"],
  ])("shows what hides in %j", (text, shown) => expect(visible(text)).toBe(shown));

  it("marks which pieces are names", () => {
    expect(pieces("a\u0000")).toEqual([
      { text: "a", hidden: false },
      { text: "\\0", hidden: true },
    ]);
  });
});
