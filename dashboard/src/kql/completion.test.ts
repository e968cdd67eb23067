import { describe, expect, it } from "vitest";
import type { Field } from "../api/models";
import { optionsFor, placeAt } from "./completion";

const field = (name: string, type = "keyword", values: string[] = []): Field => ({ name, type, many: false, klass: "public", doc: "", values });
const FIELDS = [field("event.outcome", "keyword", ["success", "failure"]), field("user.id"), field("http.response.status_code", "long"), field("jwt.known", "boolean")];

const at = (marked: string) => placeAt(marked.replace("|", ""), marked.indexOf("|"));

describe("placeAt", () => {
  it.each([
    ["|", "field", "", undefined],
    ["us|", "field", "us", undefined],
    ["user.id |", "operator", "", "user.id"],
    ["user.id : |", "value", "", "user.id"],
    ["user.id:u|", "value", "u", "user.id"],
    ['user.id : "a b|', "value", '"a b', "user.id"],
    ["user.id : u1 |", "joint", "", undefined],
    ["user.id : u1 a|", "joint", "a", undefined],
    ["user.id : u1 and |", "field", "", undefined],
    ["not ev|", "field", "ev", undefined],
    ["(a : b or c|", "field", "c", undefined],
    ["user.id : (u1 or |", "value", "", "user.id"],
    ["user.id : (u1 or u2) |", "joint", "", undefined],
    ["http.response.status_code >= |", "value", "", "http.response.status_code"],
  ])("%s", (marked, kind, typed, name) => {
    expect(at(marked)).toMatchObject(name === undefined ? { kind, typed } : { kind, typed, field: name });
  });

  it("replaces only the word that is being typed", () => expect(at("a : b and user.i|")).toMatchObject({ from: 10 }));
});

describe("optionsFor", () => {
  const labels = (marked: string, values: string[] = []) => optionsFor(at(marked), FIELDS, values).map((option) => option.label);

  it("puts names that begin so first", () => expect(labels("id|")).toEqual(["user.id"]));
  it("offers comparisons only where there is an order", () => {
    expect(labels("user.id |")).toEqual([":", ": *"]);
    expect(labels("http.response.status_code |")).toContain(">=");
  });
  it("offers closed lists and live values once", () => expect(labels("event.outcome : |", ["failure"])).toEqual(["failure", "success"]));
  it("quotes what needs it", () => expect(optionsFor(at("user.id : |"), FIELDS, ["a b"])[0]?.insert).toBe('"a b" '));
  it("knows booleans", () => expect(labels("jwt.known : t|")).toEqual(["true"]));
});
