import { Button, Radio, Select, Textarea } from "@mantine/core";
import { useState } from "react";
import { get, send } from "../api/client";
import type { BlastRadius } from "../api/models";
import type { Target } from "../lib/doc";
import { ago } from "../lib/format";
import { useAction } from "../lib/useAction";
import { useLoad } from "../lib/useLoad";
import { visible } from "../lib/visible";
import { m } from "../messages";
import { useNow } from "../status";
import { Dialog } from "../ui/Dialog";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/Notices";
import styles from "./revoke.module.css";

interface Props {
  /** What may be revoked, narrowest first; at least one. */
  readonly targets: readonly Target[];
  readonly onClose: () => void;
}

/** The server's limit for a reason. */
const MAX_REASON = 2000;

/** Says first what it hits, asks for a reason, and can be undone while the dialog is open. */
export function RevokeDialog({ targets, onClose }: Props) {
  const kinds = [...new Set(targets.map((target) => target.kind))];
  const [target, setTarget] = useState(targets[0]);
  const [done, setDone] = useState(false);
  if (target === undefined) return null;
  const same = targets.filter((other) => other.kind === target.kind);
  const choose = (kind: string) => setTarget(targets.find((other) => other.kind === kind));
  return (
    <Dialog title={m.revoke.title} onClose={onClose}>
      {done ? (
        <Done target={target} onClose={onClose} />
      ) : (
        <>
          <Radio.Group label={m.revoke.what} value={target.kind} onChange={choose}>
            <div className={styles.kinds}>
              {kinds.map((kind) => (
                <Radio key={kind} value={kind} label={m.revoke.kinds[kind]} />
              ))}
            </div>
          </Radio.Group>
          {same.length > 1 ? (
            <Select aria-label={m.revoke.what} data={same.map(({ value }) => ({ value, label: visible(value) }))} value={target.value} allowDeselect={false} onChange={(value) => value !== null && setTarget({ kind: target.kind, value })} />
          ) : (
            <p className={styles.value}>
              <Hostile text={target.value} />
            </p>
          )}
          <Confirm key={`${target.kind}=${target.value}`} target={target} onDone={() => setDone(true)} onClose={onClose} />
        </>
      )}
    </Dialog>
  );
}

function Confirm({ target, onDone, onClose }: { readonly target: Target; readonly onDone: () => void; readonly onClose: () => void }) {
  const [reason, setReason] = useState("");
  const action = useAction(async () => {
    await send("POST", "revocations", { ...target, reason: reason.trim() });
    onDone();
  });
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        action.run();
      }}
    >
      <Radius target={target} />
      <Textarea label={m.revoke.reason} description={m.revoke.reasonHelp} placeholder={m.revoke.reasonPlaceholder} required withAsterisk autosize minRows={2} maxRows={6} maxLength={MAX_REASON} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus />
      {action.error === undefined ? null : <Problem error={action.error} />}
      <div className={styles.buttons}>
        <Button variant="default" onClick={onClose}>
          {m.app.cancel}
        </Button>
        <Button type="submit" color="red.8" disabled={reason.trim() === ""} loading={action.busy} leftSection={<Icon name="ban" />}>
          {m.revoke.confirm}
        </Button>
      </div>
    </form>
  );
}

function Radius({ target }: { readonly target: Target }) {
  const now = useNow();
  const { data, error, reload } = useLoad(JSON.stringify(target), (signal) => get<BlastRadius>("revocations/preview", { ...target }, signal));
  if (error !== undefined && data === undefined) return <Problem error={error} retry={reload} />;
  return (
    <div className={styles.radius} aria-live="polite">
      <strong>{m.revoke.radius}</strong>
      <p>{data === undefined ? "…" : radiusText(data, now)}</p>
    </div>
  );
}

/** `3 live tokens, 2 sign-ins, 1 user; last used 40 s ago from 203.0.113.7.` */
function radiusText(radius: BlastRadius, now: number): string {
  if (radius.revoked) return m.revoke.already;
  if (radius.live_tokens === 0) return m.revoke.none;
  const parts = [m.revoke.tokens(radius.live_tokens)];
  if (radius.families > 0) parts.push(m.revoke.families(radius.families));
  if (radius.subjects > 0) parts.push(m.revoke.subjects(radius.subjects));
  const seen = radius.last_seen_us === null ? m.revoke.unseen : m.revoke.seen(ago(radius.last_seen_us, now), visible(radius.last_source));
  return `${parts.join(", ")}; ${seen}.`;
}

function Done({ target, onClose }: { readonly target: Target; readonly onClose: () => void }) {
  const [undone, setUndone] = useState(false);
  const undo = useAction(async () => {
    await send("DELETE", `revocations/${target.kind}/${encodeURIComponent(target.value)}`);
    setUndone(true);
  });
  return (
    <div className={styles.form}>
      <div className={styles.done} role="status">
        <Icon name={undone ? "undo" : "check"} size={22} />
        <p>
          {undone ? (
            m.revoke.undone
          ) : (
            <>
              <strong>{m.revoke.done}.</strong> {m.revoke.doneText}
            </>
          )}
        </p>
      </div>
      {undo.error === undefined ? null : <Problem error={undo.error} />}
      <div className={styles.buttons}>
        {undone ? null : (
          <Button variant="default" leftSection={<Icon name="undo" />} loading={undo.busy} onClick={undo.run}>
            {m.revoke.undo}
          </Button>
        )}
        <Button onClick={onClose} data-autofocus>
          {m.app.close}
        </Button>
      </div>
    </div>
  );
}
