/** A span of time as the URL and the API write it: each end is RFC 3339 or relative to now, as in Kibana (`now-1h`, `now/d`). */

export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

export const DEFAULT_RANGE: TimeRange = { from: "now-15m", to: "now" };

export const PRESETS: readonly (TimeRange & { readonly label: string })[] = [
  { label: "Last 5 minutes", from: "now-5m", to: "now" },
  { label: "Last 15 minutes", from: "now-15m", to: "now" },
  { label: "Last hour", from: "now-1h", to: "now" },
  { label: "Last 6 hours", from: "now-6h", to: "now" },
  { label: "Last 24 hours", from: "now-24h", to: "now" },
  { label: "Last 7 days", from: "now-7d", to: "now" },
  { label: "Last 30 days", from: "now-30d", to: "now" },
  { label: "Today", from: "now/d", to: "now" },
];

/** Shorter than this and zooming in further shows nothing new. */
export const SHORTEST_US = 1_000;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const UNIT_NAMES: Readonly<Record<string, string>> = { s: "second", m: "minute", h: "hour", d: "day", w: "week", M: "month", y: "year" };
const RELATIVE = /^now(?:([+-])(\d{1,9})([smhdwMy]))?(?:\/([smhdwMy]))?$/;

/** True for a text that both ends may be: relative to now, or a time that JavaScript can read. */
export function isMoment(text: string): boolean {
  return RELATIVE.test(text) || !Number.isNaN(Date.parse(text));
}

export function isRelative(text: string): boolean {
  return RELATIVE.test(text);
}

/** µs since the epoch. The server has the last word on relative times; this is for drawing and zooming. Rounding is in UTC. */
export function momentUs(text: string, nowUs: number): number {
  const match = RELATIVE.exec(text);
  if (match === null) return parseUs(text);
  const [, sign, amount, unit, floor] = match;
  const date = new Date(nowUs / 1000);
  if (unit !== undefined) move(date, (sign === "-" ? -1 : 1) * Number(amount), unit);
  if (floor !== undefined) roundDown(date, floor);
  return date.getTime() * 1000;
}

/** `2026-11-23T16:46:55.000012Z`: JavaScript keeps only milliseconds, the trail has six digits. */
export function isoUs(us: number): string {
  const whole = new Date(Math.floor(us / 1000)).toISOString();
  return `${whole.slice(0, -1)}${String(us % 1000).padStart(3, "0")}Z`;
}

/** µs of an RFC 3339 time with up to six digits after the second; NaN when it is not one. */
export function parseUs(text: string): number {
  const digits = /\.(\d{1,9})/.exec(text)?.[1] ?? "";
  const beyond = Number(digits.padEnd(6, "0").slice(3, 6));
  return Date.parse(digits.length > 3 ? text.replace(digits, digits.slice(0, 3)) : text) * 1000 + beyond;
}

/** How a range reads on a button; a day that both ends share is said once. */
export function label(range: TimeRange, format: (us: number) => string): string {
  const preset = PRESETS.find((known) => known.from === range.from && known.to === range.to);
  if (preset !== undefined) return preset.label;
  const match = /^now-(\d+)([smhdwMy])$/.exec(range.from);
  if (match !== null && range.to === "now") {
    const [, amount, unit] = match;
    return `Last ${amount} ${UNIT_NAMES[unit ?? ""]}${amount === "1" ? "" : "s"}`;
  }
  const end = (text: string) => (isRelative(text) ? text : format(parseUs(text)));
  const [from, to] = [end(range.from), end(range.to)];
  const [date, time] = to.split(" ");
  return `${from} → ${time !== undefined && from.startsWith(`${date} `) ? time : to}`;
}

/** The same span made twice as wide or half as wide around its middle, or moved by half of itself; absolute. */
export function adjust(range: TimeRange, step: "in" | "out" | "back" | "on", nowUs: number): TimeRange {
  const from = momentUs(range.from, nowUs);
  const width = Math.max(SHORTEST_US, momentUs(range.to, nowUs) - from);
  const [start, size] = {
    in: [from + width / 4, Math.max(SHORTEST_US, width / 2)],
    out: [from - width / 2, width * 2],
    back: [from - width / 2, width],
    on: [from + width / 2, width],
  }[step] as [number, number];
  return between(Math.max(0, start), Math.max(0, start) + size);
}

export function between(fromUs: number, toUs: number): TimeRange {
  return { from: isoUs(Math.round(fromUs)), to: isoUs(Math.round(toUs)) };
}

function move(date: Date, amount: number, unit: string): void {
  if (unit === "M") date.setUTCMonth(date.getUTCMonth() + amount);
  else if (unit === "y") date.setUTCFullYear(date.getUTCFullYear() + amount);
  else date.setTime(date.getTime() + amount * (UNITS[unit] ?? 0) * 1000);
}

function roundDown(date: Date, unit: string): void {
  if (unit === "w") {
    date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
    date.setUTCHours(0, 0, 0, 0);
  } else if (unit === "M" || unit === "y") {
    date.setUTCMonth(unit === "y" ? 0 : date.getUTCMonth(), 1);
    date.setUTCHours(0, 0, 0, 0);
  } else {
    const size = (UNITS[unit] ?? 1) * 1000;
    date.setTime(Math.floor(date.getTime() / size) * size);
  }
}
