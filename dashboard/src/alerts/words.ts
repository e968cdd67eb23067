/** An alert told in sentences. */
import type { Alert, Doc } from "../api/models";
import { timeOf } from "../lib/doc";
import { clock, duration, plural } from "../lib/format";

const GROUPS: Readonly<Record<string, string>> = {
  "source.ip": "from address",
  "user.id": "by user",
  "user.name": "on the account",
  "jwt.jti": "with token",
  "jwt.family": "within sign-in",
  "jwt.client_id": "by client",
  "jwt.fingerprint": "with the token of fingerprint",
  "http.route": "on route",
};

/** `4 events from address 203.0.113.7 within 2.1 s completed this rule, the last at 16:46:55.012.` */
export function story(alert: Alert, events: readonly Doc[]): string {
  const number = Math.max(alert.count, events.length);
  const whom = Object.entries(alert.group).map(([field, value]) => ` ${GROUPS[field] ?? `with ${field}`} ${value}`);
  const times = events.map(timeOf).filter((us) => !Number.isNaN(us));
  const last = times.length > 0 ? Math.max(...times) : alert.at_us;
  const first = times.length > 0 ? Math.min(...times) : (alert.first_us ?? last);
  const span = last > first ? ` within ${duration(last - first)}` : "";
  const ending = number === 1 ? `at ${clock(last)}` : `the last at ${clock(last)}`;
  return `${plural(number, "event")}${whom.join("")}${span} completed this rule, ${ending}.`;
}

/** Sigma's `attack.t1550.001` as `T1550.001`, `attack.initial-access` as `initial access`. */
export function tagText(tag: string): string {
  const name = tag.replace(/^attack\./, "");
  return /^t\d/.test(name) ? name.toUpperCase() : name.replace(/[-_]/g, " ");
}
