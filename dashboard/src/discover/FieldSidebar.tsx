import { TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError, get } from "../api/client";
import type { Field, TopValues } from "../api/models";
import { count } from "../lib/format";
import type { TimeRange } from "../lib/timeRange";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { IconButton } from "../ui/IconButton";
import styles from "./sidebar.module.css";

/** Shown first: what most questions begin with. */
const USUAL = ["event.action", "event.outcome", "event.reason", "http.route", "http.response.status_code", "user.id", "source.ip", "user_agent.original", "jwt.kind", "jwt.client_id", "service.name"];
const OPEN_AT_FIRST: ReadonlySet<string> = new Set(["event.outcome", "event.reason", "event.action"]);
const VALUES = 5;
/** A list longer than this is not read but searched. */
const MAX_LISTED = 40;

interface Props {
  readonly fields: readonly Field[];
  readonly range: TimeRange;
  readonly query: string;
  /** Changes when the page is refreshed. */
  readonly turn: number;
  readonly onFilter: (field: string, value: unknown, keep: boolean) => void;
  readonly onExists: (field: string) => void;
}

export function FieldSidebar({ fields, onFilter, onExists, ...asked }: Props) {
  const [wanted, setWanted] = useState("");
  const [open, setOpen] = useState(OPEN_AT_FIRST);
  const listed = listFields(fields, wanted.trim().toLowerCase());
  const toggle = (name: string) => setOpen((before) => new Set(before.has(name) ? [...before].filter((other) => other !== name) : [...before, name]));
  return (
    <aside className={styles.sidebar} aria-label={m.fields.title}>
      <TextInput size="xs" placeholder={m.fields.search} aria-label={m.fields.search} value={wanted} onChange={(event) => setWanted(event.currentTarget.value)} className={styles.search ?? ""} />
      <div className={styles.list}>
        {listed.length === 0 ? <p className={styles.none}>{m.fields.none}</p> : null}
        {listed.map((field) => (
          <section key={field.name}>
            <button type="button" className={styles.name} aria-expanded={open.has(field.name)} title={field.doc} onClick={() => toggle(field.name)}>
              <Icon name={open.has(field.name) ? "down" : "right"} size={12} />
              <span>{field.name}</span>
            </button>
            {open.has(field.name) ? <Values field={field.name} {...asked} onFilter={onFilter} onExists={onExists} /> : null}
          </section>
        ))}
      </div>
    </aside>
  );
}

function Values({ field, range, query, turn, onFilter, onExists }: Omit<Props, "fields"> & { readonly field: string }) {
  const key = JSON.stringify([field, range, query, turn]);
  const { data, error } = useLoad(key, (signal) => get<TopValues>("top", { field, q: query, from: range.from, to: range.to, size: VALUES }, signal));
  // A query that cannot be read is said once, below the query.
  if (error !== undefined) return <p className={styles.none}>{error instanceof ApiError && error.status === 400 ? "" : error.message}</p>;
  if (data === undefined) return <p className={styles.none}>…</p>;
  if (data.values.length === 0) return <p className={styles.none}>{m.fields.empty}</p>;
  const most = Math.max(1, data.values[0]?.count ?? 1);
  return (
    <ul className={styles.values}>
      {data.values.map(({ value, count: number }) => (
        <li key={value}>
          <span className={styles.share} style={{ width: `${(100 * number) / most}%` }} />
          <button type="button" className={styles.value} title={m.events.include(field)} onClick={() => onFilter(field, value, true)}>
            <Hostile text={value} />
          </button>
          <span className={styles.number}>{count(number)}</span>
          <IconButton icon="exclude" label={`${m.events.exclude(field)}: ${value}`} className={styles.exclude} onClick={() => onFilter(field, value, false)} />
        </li>
      ))}
      {data.other > 0 ? <li className={styles.rest}>{m.fields.other(data.other)}</li> : null}
      {data.missing > 0 ? (
        <li className={styles.rest}>
          <button type="button" onClick={() => onExists(field)} title={m.fields.exists}>
            {m.fields.missing(data.missing)}
          </button>
        </li>
      ) : null}
    </ul>
  );
}

function listFields(fields: readonly Field[], wanted: string): Field[] {
  if (wanted !== "") return fields.filter((field) => field.name.toLowerCase().includes(wanted)).slice(0, MAX_LISTED);
  const known = new Map(fields.map((field) => [field.name, field]));
  return USUAL.map((name) => known.get(name)).filter((field) => field !== undefined);
}
