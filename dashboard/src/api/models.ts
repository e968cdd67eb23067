/** Short names for the generated types. */
import type { components } from "./types";

type Schemas = components["schemas"];

/** A flat ECS document: dotted names, values of any JSON type. Everything in it may have been written by an attacker. */
export type Doc = Readonly<Record<string, unknown>>;

export type Alert = Schemas["AlertView"];
export type AlertChange = Partial<Schemas["AlertChange"]>;
export type AlertStatus = Alert["status"];
export type AlertsPage = Schemas["AlertsPage"];
export type Level = Alert["level"];
export type Action = Schemas["ActionView"];
export type AlertDetail = Omit<Schemas["AlertDetail"], "events"> & { events: Doc[] };
export type BlastRadius = Schemas["BlastRadius"];
export type Bucket = Schemas["Bucket"];
export type EventsPage = Omit<Schemas["EventsPage"], "events"> & { events: Doc[] };
export type Failure = Schemas["Failure"];
export type Field = Schemas["FieldView"];
export type FieldsPage = Schemas["FieldsPage"];
export type Histogram = Schemas["Histogram"];
export type Proof = Schemas["Proof"];
export type Restraint = Schemas["RestraintView"];
export type Revocation = Schemas["RevocationView"];
export type RevocationKind = Schemas["NewRevocation"]["kind"];
export type RevocationsPage = Schemas["RevocationsPage"];
export type Session = Schemas["SessionView"];
export type Status = Schemas["Status"];
export type TopValues = Schemas["TopValues"];
export type TrailStatus = Schemas["TrailStatus"];
