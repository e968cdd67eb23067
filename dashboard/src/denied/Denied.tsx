import { Button } from "@mantine/core";
import { useState } from "react";
import { get, send } from "../api/client";
import type { Restraint, Revocation, RevocationsPage } from "../api/models";
import { dateTime, moment } from "../lib/format";
import { navigate } from "../lib/urlState";
import { useAction } from "../lib/useAction";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { useNow } from "../status";
import { Dialog } from "../ui/Dialog";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/Notices";
import styles from "./denied.module.css";

const ASK_EVERY_MS = 5000;
const MAX_ROWS = 200;
/** Ends a sign-in like any other revocation, but nobody needs to look at it. */
const ROUTINE = "logout";

export function Denied() {
  const { data, error, reload } = useLoad("revocations", (signal) => get<RevocationsPage>("revocations", {}, signal), { every: ASK_EVERY_MS });
  const revocations = data?.revocations.filter(({ cause }) => cause !== ROUTINE) ?? [];
  const routine = (data?.revocations.length ?? 0) - revocations.length;
  return (
    <div className={styles.screen}>
      <header>
        <h1>{m.denied.title}</h1>
        <p>{m.denied.text}</p>
      </header>
      {error === undefined ? null : <Problem error={error} retry={reload} />}
      <Section title={m.denied.restraints} empty={data !== undefined && data.restraints.length === 0}>
        {data?.restraints.slice(0, MAX_ROWS).map((restraint) => <RestraintRow key={restraint.id} restraint={restraint} onChanged={reload} />)}
      </Section>
      <Section title={m.denied.revocations} empty={data !== undefined && revocations.length === 0}>
        {revocations.slice(0, MAX_ROWS).map((revocation) => (
          <RevocationRow key={`${revocation.kind}=${revocation.value}`} revocation={revocation} onChanged={reload} />
        ))}
      </Section>
      <footer>
        {revocations.length > MAX_ROWS ? <p>{m.denied.more(revocations.length - MAX_ROWS)}</p> : null}
        {routine > 0 ? <p>{m.denied.routine(routine)}</p> : null}
      </footer>
    </div>
  );
}

function Section({ title, empty, children }: { readonly title: string; readonly empty: boolean; readonly children: React.ReactNode }) {
  const { columns } = m.denied;
  return (
    <section className={styles.panel}>
      <h2>{title}</h2>
      {empty ? (
        <p className={styles.dim}>{m.denied.none}</p>
      ) : (
        <table>
          <thead>
            <tr>
              {[columns.what, columns.value, columns.since, columns.until, columns.cause].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
              <td />
            </tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      )}
    </section>
  );
}

function RevocationRow({ revocation, onChanged }: { readonly revocation: Revocation; readonly onChanged: () => void }) {
  const { kind, value, cause, by } = revocation;
  const undo = async () => {
    await send("DELETE", `revocations/${kind}/${encodeURIComponent(value)}`);
    onChanged();
  };
  return <Row what={m.denied.kinds[kind]} value={value} held={revocation} why={m.denied.by(cause, by)} act={m.denied.undo} onAct={undo} />;
}

function RestraintRow({ restraint, onChanged }: { readonly restraint: Restraint; readonly onChanged: () => void }) {
  const { id, field, value, per_minute: rate, route } = restraint;
  const lift = async () => {
    await send("DELETE", `restraints/${encodeURIComponent(id)}`);
    onChanged();
  };
  const why = [route, restraint.unauthenticated_only ? m.denied.unauthenticated : ""].filter((part) => part !== "").join(", ");
  return <Row what={rate === 0 ? m.denied.blocked : m.denied.throttled(rate)} value={`${field} ${value}`} held={restraint} why={why} act={m.denied.lift} onAct={lift} />;
}

interface RowProps {
  readonly what: string;
  readonly value: string;
  readonly held: { readonly at_us: number; readonly until_us: number; readonly alert: string };
  readonly why: string;
  readonly act: string;
  readonly onAct: () => Promise<void>;
}

function Row({ what, value, held, why, act, onAct }: RowProps) {
  const now = useNow();
  const [asking, setAsking] = useState(false);
  const action = useAction(onAct);
  return (
    <tr>
      <td>{what}</td>
      <td className="mono">
        <Hostile text={value} />
      </td>
      <td title={dateTime(held.at_us)}>{moment(held.at_us, now)}</td>
      <td title={dateTime(held.until_us)}>{moment(held.until_us, now)}</td>
      <td>
        <Hostile text={why} />
        {held.alert === "" ? null : (
          <button type="button" className={styles.link} onClick={() => navigate({ screen: "alerts", status: "", alert: held.alert })}>
            {m.denied.alert} <Icon name="right" size={12} />
          </button>
        )}
      </td>
      <td>
        <Button size="compact-sm" variant="default" loading={action.busy} aria-label={`${act}: ${what} ${value}`} onClick={() => setAsking(true)}>
          {act}
        </Button>
        {asking ? (
          <Dialog title={`${act}: ${what}`} onClose={() => setAsking(false)}>
            <div className={styles.sure}>
              <code>
                <Hostile text={value} />
              </code>
              <p>{m.denied.sure}</p>
              {action.error === undefined ? null : <Problem error={action.error} />}
              <div className={styles.buttons}>
                <Button variant="default" onClick={() => setAsking(false)}>
                  {m.app.cancel}
                </Button>
                <Button loading={action.busy} onClick={() => action.run()} data-autofocus>
                  {act}
                </Button>
              </div>
            </div>
          </Dialog>
        ) : null}
      </td>
    </tr>
  );
}
