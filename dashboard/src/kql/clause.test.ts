import { describe, expect, it } from "vitest";
import { clause, narrow, quote } from "./clause";

describe("quote", () => {
  it.each([
    ["alg_none", "alg_none"],
    ["/orders/7", "/orders/7"],
    ["2001:db8::1", '"2001:db8::1"'],
    ["two words", '"two words"'],
    ['say "hi" \\', '"say \\"hi\\" \\\\"'],
    ["or", '"or"'],
    ["a*", '"a*"'],
    ["", '""'],
  ])("%s", (value, text) => expect(quote(value)).toBe(text));
});

describe("narrow", () => {
  const part = clause("user.id", "u1");
  it.each([
    ["", true, "user.id : u1"],
    ["", false, "not user.id : u1"],
    ["a : b", true, "a : b and user.id : u1"],
    ["a : b or c : d", false, "(a : b or c : d) and not user.id : u1"],
    ["(a : b or c : d)", true, "(a : b or c : d) and user.id : u1"],
    ['a : "x or y"', true, 'a : "x or y" and user.id : u1'],
    ["user.id : u1", true, "user.id : u1"],
    ["a : b and user.id : u1", true, "a : b and user.id : u1"],
  ])("%j %s", (query, keep, result) => expect(narrow(query, part, keep)).toBe(result));

  it("takes each item of a list", () => expect(clause("tags", ["a", "b"])).toBe("(tags : a and tags : b)"));
});
