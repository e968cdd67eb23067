import { Button } from "@mantine/core";
import { useEffect } from "react";
import { get } from "../api/client";
import type { Alert, AlertsPage, AlertStatus } from "../api/models";
import { openStream } from "../api/stream";
import { EventPanel } from "../event/EventPanel";
import { clause, narrow } from "../kql/clause";
import { ago, count } from "../lib/format";
import { navigate, useUrl } from "../lib/urlState";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { useNow } from "../status";
import { LevelChip, StatusChip } from "../ui/Chips";
import { Hostile } from "../ui/Hostile";
import { Empty, Problem } from "../ui/Notices";
import { AlertDetailView } from "./AlertDetail";
import styles from "./alerts.module.css";
import { useOlder } from "./useOlder";

const FILTERS: readonly (AlertStatus | "")[] = ["open", "acknowledged", "in_progress", "closed", ""];
/** A change by somebody else shows after so long; a new alert at once, by the stream. */
const ASK_EVERY_MS = 10_000;

export function Alerts() {
  const url = useUrl();
  const loaded = useLoad(`alerts ${url.status}`, (signal) => get<AlertsPage>("alerts", { status: url.status }, signal), { every: ASK_EVERY_MS });
  const { reload } = loaded;
  useEffect(() => openStream("alerts/stream", {}, { on: { alert: reload } }), [reload]);
  const older = useOlder(url.status, loaded.data?.next ?? null);
  const alerts = [...(loaded.data?.alerts ?? []), ...older.alerts];
  const filter = (field: string, value: unknown, keep: boolean) => navigate({ screen: "discover", q: narrow("", clause(field, value), keep), event: "", alert: "" });
  return (
    <div className={styles.screen}>
      <section className={styles.queue} aria-label={m.alerts.title}>
        <h1 className="sr">{m.alerts.title}</h1>
        <Filters status={url.status} counts={loaded.data?.counts ?? {}} />
        <div className={styles.list}>
          {loaded.error !== undefined && loaded.data === undefined ? <Problem error={loaded.error} retry={reload} /> : null}
          {loaded.data !== undefined && alerts.length === 0 ? <Empty icon="alerts" title={m.alerts.emptyTitle(url.status)} text={m.alerts.emptyText} /> : null}
          <ul>
            {alerts.map((alert) => (
              <li key={alert.id}>
                <Item alert={alert} chosen={alert.id === url.alert} />
              </li>
            ))}
          </ul>
          {older.more === null ? null : (
            <Button variant="subtle" fullWidth loading={older.loading} onClick={older.more}>
              {m.alerts.more}
            </Button>
          )}
        </div>
      </section>
      <section className={styles.detail}>
        {url.alert === "" ? <Empty icon="alerts" title={m.alerts.title} text={m.alerts.pick} /> : <AlertDetailView key={url.alert} id={url.alert} known={alerts.find(({ id }) => id === url.alert)} onChanged={reload} />}
      </section>
      {url.event === "" ? null : <EventPanel id={url.event} known={NONE} onFilter={filter} onOpen={(event) => navigate({ event }, { replace: true })} />}
    </div>
  );
}

const NONE: readonly never[] = [];

function Filters({ status, counts }: { readonly status: string; readonly counts: Readonly<Record<string, number>> }) {
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
  return (
    <div className={styles.filters} role="group" aria-label={m.alerts.triage}>
      {FILTERS.map((name) => (
        <button key={name} type="button" aria-pressed={status === name} onClick={() => navigate({ status: name, alert: "", event: "" })}>
          {name === "" ? m.alerts.all : m.alerts.statuses[name]}
          <span>{count(name === "" ? total : (counts[name] ?? 0))}</span>
        </button>
      ))}
    </div>
  );
}

function Item({ alert, chosen }: { readonly alert: Alert; readonly chosen: boolean }) {
  const now = useNow();
  return (
    <button type="button" className={styles.item} aria-current={chosen || undefined} onClick={() => navigate({ alert: alert.id, event: "" })}>
      <span className={styles.itemHead}>
        <LevelChip level={alert.level} />
        {alert.status === "open" ? null : <StatusChip status={alert.status} />}
        <time>{ago(alert.at_us, now)}</time>
      </span>
      <strong>{alert.rule_name}</strong>
      <span className={styles.group}>
        <Hostile text={groupText(alert)} />
      </span>
    </button>
  );
}

/** `source.ip 203.0.113.7 · user.id u7` */
export function groupText(alert: Alert): string {
  return Object.entries(alert.group)
    .map(([field, value]) => `${field} ${value}`)
    .join(" · ");
}
