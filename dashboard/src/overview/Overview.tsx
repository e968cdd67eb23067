import { useMemo } from "react";
import { get } from "../api/client";
import type { AlertsPage, Histogram as HistogramData, TopValues } from "../api/models";
import { groupText } from "../alerts/Alerts";
import { totals } from "../chart/bars";
import { Histogram, Key } from "../chart/Histogram";
import { clause, narrow } from "../kql/clause";
import { ago, compact, count, duration } from "../lib/format";
import { between } from "../lib/timeRange";
import { navigate, useUrl } from "../lib/urlState";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { useNow, useStatus } from "../status";
import { LevelChip } from "../ui/Chips";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/Notices";
import { TimePicker } from "../ui/TimePicker";
import { Card } from "./Card";
import styles from "./overview.module.css";

const ASK_EVERY_MS = 5000;
const REQUESTS = "event.action : http-request";
const FAILED = "event.outcome : failure";

export function Overview() {
  const url = useUrl();
  const range = useMemo(() => ({ from: url.from, to: url.to }), [url.from, url.to]);
  const key = JSON.stringify(range);
  const bars = useLoad(`bars ${key}`, (signal) => get<HistogramData>("histogram", { q: REQUESTS, ...range, buckets: 100 }, signal), { every: ASK_EVERY_MS });
  const sum = totals(bars.data?.buckets ?? []);
  return (
    <div className={styles.screen}>
      <div className={styles.title}>
        <h1>{m.overview.title}</h1>
        <TimePicker range={range} onChange={(next) => navigate(next)} />
      </div>
      <Cards />
      <section className={styles.panel}>
        <div className={styles.panelHead}>
          <h2>{m.overview.traffic}</h2>
          {bars.data === undefined ? null : (
            <span className={styles.keys}>
              <Key kind="success" value={sum.success} />
              <Key kind="failure" value={sum.failure} />
            </span>
          )}
        </div>
        {bars.error !== undefined && bars.data === undefined ? <Problem error={bars.error} retry={bars.reload} /> : <Histogram data={bars.data} height={180} onZoom={(from, to) => navigate({ screen: "discover", ...between(from, to) })} />}
      </section>
      <div className={styles.columns}>
        <LatestAlerts />
        <Top title={m.overview.reasons} field="event.reason" query={FAILED} range={range} />
        <Top title={m.overview.sources} field="source.ip" query={FAILED} range={range} />
      </div>
    </div>
  );
}

function Cards() {
  const { status } = useStatus();
  const now = useNow();
  if (status === undefined) return <div className={styles.cards} aria-busy="true" />;
  const { trail, detector } = status;
  const signed = trail.signed_us === null ? m.trail.never : ago(trail.signed_us, now);
  return (
    <div className={styles.cards}>
      <Card title={m.overview.events} value={compact(status.size)} note={m.overview.perMinute(count(status.events_per_minute))} icon="discover" onClick={() => navigate({ screen: "discover", q: "" })} />
      <Card title={m.overview.alerts} value={count(status.open_alerts)} note={status.open_alerts === 0 ? m.overview.alertsNone : m.overview.alertsSome} icon="alerts" tone={status.open_alerts === 0 ? "ok" : "bad"} onClick={() => navigate({ screen: "alerts", status: "open" })} />
      <Card title={m.overview.revocations} value={count(status.live_revocations)} note={detector.refused > 0 ? m.overview.refused(detector.refused) : m.overview.rules(detector.rules, duration(detector.lag_ms * 1000))} icon="ban" onClick={() => navigate({ screen: "denied" })} />
      <Card title={m.overview.trail} value={m.trail.short[trail.state]} note={`${m.trail.signed.toLowerCase()} ${signed}`} icon={trail.state === "intact" ? "shield" : trail.state === "broken" ? "shieldOff" : "shieldWait"} tone={trail.state === "intact" ? "ok" : trail.state === "broken" ? "critical" : "warn"} />
    </div>
  );
}

function LatestAlerts() {
  const now = useNow();
  const { data, error, reload } = useLoad("latest alerts", (signal) => get<AlertsPage>("alerts", { limit: 7 }, signal), { every: ASK_EVERY_MS });
  return (
    <section className={styles.panel}>
      <div className={styles.panelHead}>
        <h2>{m.overview.latest}</h2>
        <button type="button" className={styles.link} onClick={() => navigate({ screen: "alerts", status: "" })}>
          {m.overview.allAlerts} <Icon name="right" size={13} />
        </button>
      </div>
      {error !== undefined && data === undefined ? <Problem error={error} retry={reload} /> : null}
      {data?.alerts.length === 0 ? <p className={styles.dim}>{m.overview.noAlerts}</p> : null}
      <ul className={styles.alerts}>
        {data?.alerts.map((alert) => (
          <li key={alert.id}>
            <button type="button" onClick={() => navigate({ screen: "alerts", status: "", alert: alert.id })}>
              <LevelChip level={alert.level} />
              <span className={styles.alertText}>
                <strong>{alert.rule_name}</strong>
                <Hostile text={groupText(alert)} />
              </span>
              <time>{ago(alert.at_us, now)}</time>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface TopProps {
  readonly title: string;
  readonly field: string;
  readonly query: string;
  readonly range: { readonly from: string; readonly to: string };
}

function Top({ title, field, query, range }: TopProps) {
  const { data, error, reload } = useLoad(JSON.stringify([field, range]), (signal) => get<TopValues>("top", { field, q: query, ...range, size: 7 }, signal), { every: ASK_EVERY_MS });
  const most = Math.max(1, data?.values[0]?.count ?? 1);
  return (
    <section className={styles.panel}>
      <h2>{title}</h2>
      {error !== undefined && data === undefined ? <Problem error={error} retry={reload} /> : null}
      {data === undefined && error === undefined ? <p className={styles.dim}>{m.app.loading}</p> : null}
      {data?.values.length === 0 ? <p className={styles.dim}>{m.overview.noReasons}</p> : null}
      <ul className={styles.top}>
        {data?.values.map(({ value, count: number }) => (
          <li key={value}>
            <button type="button" onClick={() => navigate({ screen: "discover", q: narrow(query, clause(field, value), true) })}>
              <span className={styles.topText}>
                <code>
                  <Hostile text={value} />
                </code>
                <b>{count(number)}</b>
              </span>
              <span className={styles.track}>
                <span style={{ width: `${(100 * number) / most}%` }} />
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
