/** The columns of the table of events: what a person looks for first, from left to right. */
import { createColumnHelper, tableFeatures } from "@tanstack/react-table";
import type { ReactNode } from "react";
import type { Doc } from "../api/models";
import { numberOf, text, timeOf, who } from "../lib/doc";
import { clock, day, duration } from "../lib/format";
import { m } from "../messages";
import { OutcomeChip } from "../ui/Chips";
import { Hostile } from "../ui/Hostile";
import styles from "./table.module.css";

export const features = tableFeatures({});

export interface ColumnInfo {
  /** Width as CSS grid writes it. */
  readonly width: string;
  /** The field that including or excluding this cell narrows by. */
  readonly field: (doc: Doc) => string;
}

const helper = createColumnHelper<typeof features, Doc>();
const shown = m.events.columns;
const plain = (value: string): ReactNode => <Hostile text={value} />;
const mono = (value: string): ReactNode => (
  <span className="mono">
    <Hostile text={value} />
  </span>
);

export const columns = helper.columns([
  helper.display({ id: "time", header: shown.time, cell: ({ row }) => <Time us={timeOf(row.original)} /> }),
  helper.display({ id: "outcome", header: shown.outcome, cell: ({ row }) => <OutcomeChip outcome={text(row.original, "event.outcome")} /> }),
  helper.display({ id: "method", header: shown.method, cell: ({ row }) => mono(text(row.original, "http.request.method")) }),
  helper.display({ id: "where", header: shown.where, cell: ({ row }) => <Where doc={row.original} /> }),
  helper.display({ id: "status", header: shown.status, cell: ({ row }) => <StatusCode doc={row.original} /> }),
  helper.display({ id: "user", header: shown.user, cell: ({ row }) => plain(who(row.original)) }),
  helper.display({ id: "source", header: shown.source, cell: ({ row }) => mono(text(row.original, "source.ip")) }),
  helper.display({ id: "reason", header: shown.reason, cell: ({ row }) => mono(text(row.original, "event.reason")) }),
  helper.display({ id: "took", header: shown.took, cell: ({ row }) => <Took doc={row.original} /> }),
]);

const always = (field: string) => () => field;
const first = (...fields: string[]) => (doc: Doc) => fields.find((field) => text(doc, field) !== "") ?? "";

export const INFO: Readonly<Record<string, ColumnInfo>> = {
  time: { width: "104px", field: always("") },
  outcome: { width: "94px", field: always("event.outcome") },
  method: { width: "66px", field: always("http.request.method") },
  where: { width: "minmax(150px, 2.3fr)", field: first("url.path", "http.route", "event.action") },
  status: { width: "58px", field: always("http.response.status_code") },
  user: { width: "minmax(76px, 0.9fr)", field: first("user.name", "user.id") },
  source: { width: "minmax(108px, 0.9fr)", field: always("source.ip") },
  reason: { width: "minmax(116px, 1.15fr)", field: always("event.reason") },
  took: { width: "66px", field: always("") },
};

/** One grid for the head and every row, so that columns stand below each other without measuring. */
export const TEMPLATE = Object.values(INFO).map(({ width }) => width).join(" ");

/** A request's path; of anything else the action and, dimmed, what it was about. */
function Where({ doc }: { readonly doc: Doc }) {
  const path = text(doc, "url.path") || text(doc, "http.route");
  if (path !== "") return mono(path);
  const about = text(doc, "rule.name") || text(doc, "jwtrail.response.target") || text(doc, "user.target.id") || text(doc, "message");
  return (
    <>
      {plain(text(doc, "event.action"))} <span className={styles.about}>{plain(about)}</span>
    </>
  );
}

function Time({ us }: { readonly us: number }) {
  return (
    <time className={styles.time} title={`${day(us)} ${clock(us)}`}>
      {clock(us)}
    </time>
  );
}

function StatusCode({ doc }: { readonly doc: Doc }) {
  const code = numberOf(doc, "http.response.status_code");
  return code === undefined ? null : (
    <span className={styles.code} data-class={Math.floor(code / 100)}>
      {code}
    </span>
  );
}

function Took({ doc }: { readonly doc: Doc }) {
  const ns = numberOf(doc, "event.duration");
  return ns === undefined ? null : <span className={styles.took}>{duration(ns / 1000)}</span>;
}

