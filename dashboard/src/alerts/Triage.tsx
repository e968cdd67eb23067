import { Button, Select, Textarea } from "@mantine/core";
import { useState } from "react";
import { send } from "../api/client";
import type { Alert, AlertChange } from "../api/models";
import { useAction } from "../lib/useAction";
import { m } from "../messages";
import { Dialog } from "../ui/Dialog";
import { Problem } from "../ui/Notices";
import styles from "./alerts.module.css";

type CloseReason = keyof typeof m.alerts.reasons;

/** The steps that are open from where the alert stands. */
export function Triage({ alert, onChanged }: { readonly alert: Alert; readonly onChanged: () => void }) {
  const [closing, setClosing] = useState(false);
  const change = useChange(alert.id, onChanged);
  const to = (status: Alert["status"]) => () => change.run({ status });
  return (
    <>
      {alert.status === "open" ? (
        <Button size="xs" loading={change.busy} onClick={to("acknowledged")}>
          {m.alerts.acknowledge}
        </Button>
      ) : null}
      {alert.status === "open" || alert.status === "acknowledged" ? (
        <Button size="xs" variant="default" disabled={change.busy} onClick={to("in_progress")}>
          {m.alerts.progress}
        </Button>
      ) : null}
      {alert.status === "closed" ? (
        <Button size="xs" variant="default" loading={change.busy} onClick={to("open")}>
          {m.alerts.reopen}
        </Button>
      ) : (
        <Button size="xs" variant="default" onClick={() => setClosing(true)}>
          {m.alerts.closeIt}
        </Button>
      )}
      {change.error === undefined ? null : <Problem error={change.error} />}
      {closing ? <CloseDialog alert={alert} onChanged={onChanged} onClose={() => setClosing(false)} /> : null}
    </>
  );
}

function CloseDialog({ alert, onChanged, onClose }: { readonly alert: Alert; readonly onChanged: () => void; readonly onClose: () => void }) {
  const [reason, setReason] = useState<CloseReason | null>(null);
  const [note, setNote] = useState(alert.note);
  const change = useChange(alert.id, () => {
    onChanged();
    onClose();
  });
  return (
    <Dialog title={m.alerts.closing} onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (reason !== null) change.run({ status: "closed", reason, note });
        }}
      >
        <Select label={m.alerts.closeReason} required data={Object.entries(m.alerts.reasons).map(([value, label]) => ({ value, label }))} value={reason} onChange={(value) => setReason(value as CloseReason | null)} data-autofocus />
        <Textarea label={m.alerts.note} placeholder={m.alerts.notePlaceholder} autosize minRows={3} maxRows={8} maxLength={2000} value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        {change.error === undefined ? null : <Problem error={change.error} />}
        <div className={styles.buttons}>
          <Button variant="default" onClick={onClose}>
            {m.app.cancel}
          </Button>
          <Button type="submit" disabled={reason === null} loading={change.busy}>
            {m.alerts.closing}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function useChange(id: string, onChanged: () => void) {
  return useAction(async (change: AlertChange) => {
    await send("POST", `alerts/${encodeURIComponent(id)}`, change);
    onChanged();
  });
}
