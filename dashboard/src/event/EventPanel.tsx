import { Button, Tabs } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { ApiError, get } from "../api/client";
import type { Doc } from "../api/models";
import { headline, idOf, targetsOf, text, timeOf } from "../lib/doc";
import { clock, day } from "../lib/format";
import { navigate } from "../lib/urlState";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { RevokeDialog } from "../revoke/lazy";
import { OutcomeChip } from "../ui/Chips";
import { CopyButton } from "../ui/CopyButton";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { IconButton } from "../ui/IconButton";
import { Problem } from "../ui/Notices";
import { AroundTab } from "./AroundTab";
import styles from "./event.module.css";
import { FieldsTab } from "./FieldsTab";
import { JsonTab } from "./JsonTab";
import { ProofTab } from "./ProofTab";

interface Props {
  readonly id: string;
  /** Events that are on the page already: the open one is most likely among them. */
  readonly known: readonly Doc[];
  readonly onFilter: (field: string, value: unknown, keep: boolean) => void;
  readonly onOpen: (id: string) => void;
}

/** One event beside the list: what it says, the bytes, the proof, and what can be done about its token. */
export function EventPanel({ id, known, onFilter, onOpen }: Props) {
  const here = known.findIndex((doc) => idOf(doc) === id);
  const loaded = useLoad(here >= 0 ? null : id, (signal) => get<Doc>(`events/${encodeURIComponent(id)}`, {}, signal), { fresh: true });
  const doc = known[here] ?? loaded.data;
  const close = () => navigate({ event: "" }, { replace: true });
  useEscape(close);
  const neighbour = (step: number) => known[here + step];
  return (
    <aside className={styles.panel} aria-label={m.event.title}>
      <header className={styles.head}>
        <IconButton icon="up" label={m.event.newer} disabled={here <= 0} onClick={() => onOpen(idOf(neighbour(-1) ?? {}))} />
        <IconButton icon="down" label={m.event.older} disabled={here < 0 || here >= known.length - 1} onClick={() => onOpen(idOf(neighbour(1) ?? {}))} />
        <span className={styles.space} />
        <CopyButton icon="link" label={m.event.link} text={() => location.href} />
        <IconButton icon="cross" label={m.app.close} onClick={close} />
      </header>
      {doc === undefined ? loaded.error === undefined ? null : <Problem error={gone(loaded.error)} retry={loaded.reload} /> : <Opened doc={doc} onFilter={onFilter} onOpen={onOpen} />}
    </aside>
  );
}

function Opened({ doc, onFilter, onOpen }: { readonly doc: Doc } & Pick<Props, "onFilter" | "onOpen">) {
  const [tab, setTab] = useState<string | null>("fields");
  const [revoking, setRevoking] = useState(false);
  const targets = targetsOf([doc]);
  const reason = text(doc, "event.reason");
  const id = idOf(doc);
  return (
    <>
      <div className={styles.summary}>
        <h2 className="mono">
          <Hostile text={headline(doc)} />
        </h2>
        <div className={styles.marks}>
          <OutcomeChip outcome={text(doc, "event.outcome")} />
          {reason === "" ? null : (
            <code>
              <Hostile text={reason} />
            </code>
          )}
          <span>
            {day(timeOf(doc))} {clock(timeOf(doc))}
          </span>
          <span className={styles.space} />
          <Button size="xs" variant="light" color="red" disabled={targets.length === 0} title={targets.length === 0 ? m.event.nothingToRevoke : undefined} leftSection={<Icon name="ban" size={14} />} onClick={() => setRevoking(true)}>
          {m.event.revoke}
        </Button>
        </div>
      </div>
      <Tabs value={tab} onChange={setTab} keepMounted={false} className={styles.tabs ?? ""}>
        <Tabs.List>
          {(["fields", "json", "proof", "around"] as const).map((name) => (
            <Tabs.Tab key={name} value={name}>
              {m.event.tabs[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="fields">
          <FieldsTab doc={doc} onFilter={onFilter} />
        </Tabs.Panel>
        <Tabs.Panel value="json">
          <JsonTab doc={doc} />
        </Tabs.Panel>
        <Tabs.Panel value="proof">
          <ProofTab doc={doc} />
        </Tabs.Panel>
        <Tabs.Panel value="around">
          <AroundTab id={id} onOpen={onOpen} />
        </Tabs.Panel>
      </Tabs>
      {revoking ? <RevokeDialog targets={targets} onClose={() => setRevoking(false)} /> : null}
    </>
  );
}

function gone(error: Error): Error {
  return error instanceof ApiError && error.status === 404 ? new Error(m.event.missing) : error;
}

/** Escape closes the panel, unless a dialog or a list above it takes the key. */
function useEscape(close: () => void): void {
  const latest = useRef(close);
  latest.current = close;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const busy = document.querySelector('[role="dialog"], [role="menu"], .cm-tooltip-autocomplete') !== null;
      if (event.key === "Escape" && !event.defaultPrevented && !busy) latest.current();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
