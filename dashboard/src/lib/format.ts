/** Numbers and times as people read them. Times are µs since the epoch, shown in the viewer's own zone, 24 hours. */
import { parseUs } from "./timeRange";

const NUMBER = new Intl.NumberFormat("en-US");
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value: number): string => NUMBER.format(value);
export const compact = (value: number): string => (value < 10_000 ? count(value) : COMPACT.format(value));

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `16:46:55.012` */
export function clock(us: number, digits: 0 | 3 = 3): string {
  const at = new Date(us / 1000);
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0"));
  return parts.join(":") + (digits === 0 ? "" : `.${String(at.getMilliseconds()).padStart(3, "0")}`);
}

/** `2026-11-23` */
export function day(us: number): string {
  const at = new Date(us / 1000);
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

/** `2026-11-23 16:46:55` */
export const dateTime = (us: number): string => `${day(us)} ${clock(us, 0)}`;

/** The time alone when it is on the same day as `besideUs`, else with its day. */
export const moment = (us: number, besideUs: number): string => (day(us) === day(besideUs) ? clock(us, 0) : dateTime(us));

/** µs of a date field of an event; NaN when it has none. */
export const docTime = (value: unknown): number => (typeof value === "string" ? parseUs(value) : Number.NaN);

/** `just now`, `40 s ago`, `3 min ago`, `2 h ago`, `5 d ago`. */
export function ago(us: number, nowUs: number): string {
  const seconds = Math.max(0, Math.round((nowUs - us) / 1_000_000));
  if (seconds < 3) return "just now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** `850 µs`, `12.4 ms`, `3.1 s`, `2 min 5 s`. */
export function duration(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${trim(us / 1000)} ms`;
  if (us < 60_000_000) return `${trim(us / 1_000_000)} s`;
  const seconds = Math.round(us / 1_000_000);
  const [large, small, size] = seconds < 3600 ? ["min", "s", 60] as const : ["h", "min", 3600] as const;
  const rest = Math.round((seconds % size) / (size / 60));
  return `${Math.floor(seconds / size)} ${large}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}

function trim(value: number): string {
  return value < 100 ? value.toFixed(1).replace(/\.0$/, "") : String(Math.round(value));
}

/** A field's value as one line of text; empty when the event has none. */
export function valueText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
