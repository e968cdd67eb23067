import { Button } from "@mantine/core";
import { useState } from "react";
import { get } from "../api/client";
import type { Action, Alert, AlertDetail as Detail } from "../api/models";
import { clause } from "../kql/clause";
import { targetsOfAlert } from "../lib/doc";
import { clock, dateTime, duration, moment } from "../lib/format";
import { between } from "../lib/timeRange";
import { navigate, useUrl } from "../lib/urlState";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { RevokeDialog } from "../revoke/lazy";
import { Chip, LevelChip, StatusChip } from "../ui/Chips";
import { EventList } from "../ui/EventList";
import { Facts } from "../ui/Facts";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/Notices";
import styles from "./alerts.module.css";
import { Triage } from "./Triage";
import { story, tagText } from "./words";

/** Answers come within a second or two of the alert; they appear without a click. */
const ASK_EVERY_MS = 5000;
/** Shown around an alert in Discover. */
const MARGIN_US = 5 * 60 * 1_000_000;

interface Props {
  readonly id: string;
  /** What the queue knows of it, shown until its events are there. */
  readonly known: Alert | undefined;
  readonly onChanged: () => void;
}

export function AlertDetailView({ id, known, onChanged }: Props) {
  const { data, error, reload } = useLoad(`alert ${id}`, (signal) => get<Detail>(`alerts/${encodeURIComponent(id)}`, {}, signal), { every: ASK_EVERY_MS });
  const changed = () => {
    reload();
    onChanged();
  };
  if (error !== undefined && data === undefined) return <Problem error={error} retry={reload} />;
  const detail = data ?? (known === undefined ? undefined : { alert: known, rule: null, events: [], actions: [] });
  return detail === undefined ? null : <Shown detail={detail} complete={data !== undefined} onChanged={changed} />;
}

function Shown({ detail, complete, onChanged }: { readonly detail: Detail; readonly complete: boolean; readonly onChanged: () => void }) {
  const { alert, rule, events, actions } = detail;
  const { event } = useUrl();
  const [revoking, setRevoking] = useState(false);
  const targets = targetsOfAlert(alert);
  return (
    <article className={styles.article}>
      <header>
        <div className={styles.marks}>
          <LevelChip level={alert.level} />
          <StatusChip status={alert.status} />
          {alert.tags.map((tag) => (
            <Chip key={tag} tone="plain">
              {tagText(tag)}
            </Chip>
          ))}
        </div>
        <h2>{alert.rule_name}</h2>
        <p className={styles.when}>
          {dateTime(alert.at_us)}
          {alert.lag_ms === null ? "" : ` · ${m.alerts.found(duration(alert.lag_ms * 1000))}`}
        </p>
        <div className={styles.tools}>
          <Triage alert={alert} onChanged={onChanged} />
          <Button size="xs" variant="default" leftSection={<Icon name="discover" size={14} />} onClick={() => showInDiscover(detail)}>
            {m.alerts.discover}
          </Button>
          {targets.length === 0 ? null : (
            <Button size="xs" variant="light" color="red" leftSection={<Icon name="ban" size={14} />} onClick={() => setRevoking(true)}>
              {m.event.revoke}
            </Button>
          )}
        </div>
      </header>
      <section>
        <h3>{m.alerts.what}</h3>
        <p className={styles.story}>
          <Hostile text={story(alert, events)} />
        </p>
        {alert.description === "" ? null : <p className={styles.dim}>{alert.description}</p>}
        {rule === null || rule.falsepositives.length === 0 ? null : (
          <p className={styles.dim}>
            {m.alerts.falsepositives}: {rule.falsepositives.map((text) => text.replace(/\.$/, "")).join("; ")}
          </p>
        )}
      </section>
      <section>
        <h3>{m.alerts.answers}</h3>
        {actions.length > 0 ? <Answers actions={actions} since={alert.at_us} /> : <p className={styles.dim}>{complete ? m.alerts.noAnswers : m.app.loading}</p>}
      </section>
      <section>
        <h3>{m.alerts.events}</h3>
        {complete ? (
          <div className={styles.box}>
            <EventList events={events} chosen={event} onOpen={(next) => navigate({ event: next }, { replace: true })} />
          </div>
        ) : (
          <p className={styles.dim}>{m.app.loading}</p>
        )}
      </section>
      <section>
        <h3>{m.alerts.rule}</h3>
        <Facts
          rows={[
            [m.alerts.facts.rule, `${alert.rule_code} ${alert.rule_id}`.trim()],
            [m.alerts.facts.answer, alert.response],
            [m.alerts.facts.assignee, alert.assignee],
            [m.alerts.facts.reason, alert.reason],
            [m.alerts.facts.note, alert.note],
          ]}
        />
      </section>
      {revoking ? <RevokeDialog targets={targets} onClose={() => setRevoking(false)} /> : null}
    </article>
  );
}

function Answers({ actions, since }: { readonly actions: readonly Action[]; readonly since: number }) {
  return (
    <ol className={styles.answers}>
      {actions.map((action) => (
        <li key={action.event_id}>
          <button type="button" onClick={() => navigate({ event: action.event_id }, { replace: true })}>
            <span className={styles.answerIcon}>
              <Icon name={action.kind === "notify" ? "alerts" : "ban"} size={15} />
            </span>
            <strong>{action.kind}</strong>
            <code>
              <Hostile text={action.target} />
            </code>
            {action.dry_run ? <Chip tone="warn">{m.alerts.dryRun}</Chip> : null}
            <span className={styles.answerTime}>
              {clock(action.at_us)}
              {action.at_us >= since ? ` (+${duration(action.at_us - since)})` : ""}
              {action.until_us === null ? "" : ` · ${m.alerts.until(moment(action.until_us, action.at_us))}`}
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}

function showInDiscover({ alert, events }: Detail): void {
  const times = [alert.at_us, ...events.map((doc) => Date.parse(String(doc["@timestamp"])) * 1000)].filter((us) => !Number.isNaN(us));
  const q = Object.entries(alert.group).map(([field, value]) => clause(field, value)).join(" and ");
  navigate({ screen: "discover", q, ...between(Math.min(...times) - MARGIN_US, Math.max(...times) + MARGIN_US), live: false, event: "", alert: "" });
}
