/** What can stand at the cursor of a KQL query. Pure: the editor only draws it. */
import type { Field } from "../api/models";
import { quote } from "./clause";

export type Place =
  | { readonly kind: "field"; readonly from: number; readonly typed: string }
  | { readonly kind: "operator"; readonly from: number; readonly typed: string; readonly field: string }
  | { readonly kind: "value"; readonly from: number; readonly typed: string; readonly field: string }
  | { readonly kind: "joint"; readonly from: number; readonly typed: string }
  | { readonly kind: "none" };

export interface Option {
  readonly label: string;
  readonly insert: string;
  readonly kind: "field" | "operator" | "value" | "joint";
  readonly detail: string;
}

interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const TOKEN = /"(?:\\.|[^"\\])*"?|<=|>=|[:<>(){}]|[^\s:<>(){}"]+/g;
const COMPARES = new Set([":", "<", ">", "<=", ">="]);
const JOINTS = new Set(["and", "or"]);

/** Decides by the tokens before the cursor; the word that is being typed is not one of them. */
export function placeAt(query: string, cursor: number): Place {
  const tokens = tokensOf(query.slice(0, cursor));
  const last = tokens.at(-1);
  const typing = last !== undefined && last.end === cursor && isWord(last.text) ? last : undefined;
  const before = typing === undefined ? tokens : tokens.slice(0, -1);
  const typed = typing?.text ?? "";
  const from = typing?.start ?? cursor;
  const previous = before.at(-1)?.text ?? "";
  if (COMPARES.has(previous)) return { kind: "value", from, typed, field: before.at(-2)?.text ?? "" };
  if (previous === "" || previous === "(" || previous === "{" || isJoint(previous) || previous.toLowerCase() === "not") {
    const field = fieldOfGroup(before);
    return field === "" ? { kind: "field", from, typed } : { kind: "value", from, typed, field };
  }
  if (isWord(previous) && before.length >= 1 && !COMPARES.has(before.at(-2)?.text ?? "") && fieldOfGroup(before) === "") {
    return { kind: "operator", from, typed, field: previous };
  }
  return { kind: "joint", from, typed };
}

/** Options for a place, best first; `values` are the live values of the field. */
export function optionsFor(place: Place, fields: readonly Field[], values: readonly string[] = []): Option[] {
  if (place.kind === "field") return [...matching(fields, place.typed), ...(place.typed === "" ? [NOT] : [])];
  if (place.kind === "operator") return operators(fields.find((field) => field.name === place.field));
  if (place.kind === "value") return valueOptions(place.typed, fields.find((field) => field.name === place.field), values);
  if (place.kind === "joint") return ["and", "or"].filter((word) => word.startsWith(place.typed.toLowerCase())).map(joint);
  return [];
}

const NOT: Option = { label: "not", insert: "not ", kind: "joint", detail: "what does not match" };

function joint(word: string): Option {
  return { label: word, insert: `${word} `, kind: "joint", detail: word === "and" ? "both sides" : "either side" };
}

function matching(fields: readonly Field[], typed: string): Option[] {
  const wanted = typed.toLowerCase();
  const rank = (name: string) => (name.startsWith(wanted) ? 0 : name.split(".").some((part) => part.startsWith(wanted)) ? 1 : 2);
  return fields
    .filter((field) => field.name.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a.name) - rank(b.name))
    .map((field) => ({ label: field.name, insert: `${field.name} `, kind: "field", detail: field.type }));
}

function operators(field: Field | undefined): Option[] {
  const equal: Option = { label: ":", insert: ": ", kind: "operator", detail: "is" };
  const any: Option = { label: ": *", insert: ": * ", kind: "operator", detail: "is there at all" };
  const ordered = field !== undefined && ["long", "date", "ip"].includes(field.type);
  const compare = ["<", "<=", ">", ">="].map<Option>((sign) => ({ label: sign, insert: `${sign} `, kind: "operator", detail: "compares" }));
  return [equal, ...(ordered ? compare : []), any];
}

function valueOptions(typed: string, field: Field | undefined, live: readonly string[]): Option[] {
  const wanted = typed.replace(/^"/, "").toLowerCase();
  const closed = field?.values ?? [];
  const known = field?.type === "boolean" ? ["true", "false"] : [...live, ...closed.filter((value) => !live.includes(value))];
  return known
    .filter((value) => value.toLowerCase().includes(wanted))
    .map((value) => ({ label: value, insert: `${quote(value)} `, kind: "value", detail: live.includes(value) ? "seen in this span" : "" }));
}

/** Inside `field : (a or b` the words are values of that field. */
function fieldOfGroup(tokens: readonly Token[]): string {
  let depth = 0;
  for (let at = tokens.length - 1; at >= 0; at -= 1) {
    const text = tokens[at]?.text;
    if (text === ")") depth += 1;
    if (text === "(" && depth > 0) depth -= 1;
    else if (text === "(") return tokens[at - 1]?.text === ":" ? (tokens[at - 2]?.text ?? "") : "";
  }
  return "";
}

function tokensOf(text: string): Token[] {
  return [...text.matchAll(TOKEN)].map((match) => ({ text: match[0], start: match.index, end: match.index + match[0].length }));
}

const isWord = (text: string): boolean => !COMPARES.has(text) && !"(){}".includes(text);
const isJoint = (text: string): boolean => JOINTS.has(text.toLowerCase());
