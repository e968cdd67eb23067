/** Reading one event. Names are dotted ECS names; nothing here trusts the kind of a value. */
import type { Alert, Doc, RevocationKind } from "../api/models";
import { docTime, valueText } from "./format";

export const text = (doc: Doc, field: string): string => valueText(doc[field]);
export const idOf = (doc: Doc): string => text(doc, "event.id");
export const timeOf = (doc: Doc): number => docTime(doc["@timestamp"]);

export function numberOf(doc: Doc, field: string): number | undefined {
  const value = doc[field];
  return typeof value === "number" ? value : undefined;
}

/** `GET /orders/7`, or the action when the event is no request. */
export function headline(doc: Doc): string {
  const method = text(doc, "http.request.method");
  const path = text(doc, "url.path") || text(doc, "http.route");
  return method === "" && path === "" ? text(doc, "event.action") : `${method} ${path}`.trim();
}

/** Who it was: only a verified identity, or the name that was typed at sign-in. */
export const who = (doc: Doc): string => text(doc, "user.name") || text(doc, "user.id");

export interface Target {
  readonly kind: RevocationKind;
  readonly value: string;
}

const TARGETS: readonly (readonly [RevocationKind, string])[] = [
  ["jti", "jwt.jti"],
  ["family", "jwt.family"],
  ["subject", "user.id"],
  ["client", "jwt.client_id"],
];

/** What may be revoked because of these events, narrowest first. Never a name that an unverified token claims. */
export function targetsOf(docs: readonly Doc[]): Target[] {
  const found: Target[] = [];
  for (const [kind, field] of TARGETS) {
    for (const value of new Set(docs.map((doc) => text(doc, field)))) if (value !== "") found.push({ kind, value });
  }
  return found;
}

/** What may be revoked because of an alert: the server names it, so that a forged claim is never among it. */
export function targetsOfAlert(alert: Alert): Target[] {
  return TARGETS.map(([kind]) => ({ kind, value: alert.targets[kind] ?? "" })).filter(({ value }) => value !== "");
}
