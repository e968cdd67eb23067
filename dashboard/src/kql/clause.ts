/** Pieces of KQL made from what was clicked. */

/** Words that a value may not be without quotes. */
const RESERVED = /^(and|or|not)$/i;
const BARE = /^[\p{L}\p{N}_.@/+%-]+$/u;

/** A value as it stands after `field :`; quoted when it holds anything that KQL would read. */
export function quote(value: string): string {
  if (BARE.test(value) && !RESERVED.test(value)) return value;
  return `"${value.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
}

/** `field : value`, and for a list one clause for each item. */
export function clause(field: string, value: unknown): string {
  const items = Array.isArray(value) ? value : [value];
  const parts = items.map((item) => `${field} : ${quote(String(item))}`);
  return parts.length > 1 ? `(${parts.join(" and ")})` : (parts[0] ?? `${field} : *`);
}

/** The query narrowed to the clause, or to what does not match it. A clause that is there already is not added twice. */
export function narrow(query: string, part: string, keep: boolean): string {
  const added = keep ? part : `not ${part}`;
  const base = query.trim();
  if (base === "" || base === added) return added;
  if (base.endsWith(` and ${added}`) || base.startsWith(`${added} and `)) return base;
  return `${hasOr(base) ? `(${base})` : base} and ${added}`;
}

/** True when an `or` stands outside quotes and parentheses: `and` binds tighter. */
function hasOr(query: string): boolean {
  let depth = 0;
  for (const token of query.match(/"(?:\\.|[^"\\])*"|[()]|[^\s()"]+/g) ?? []) {
    if (token === "(") depth += 1;
    else if (token === ")") depth -= 1;
    else if (depth === 0 && token.toLowerCase() === "or") return true;
  }
  return false;
}
