import { Button } from "@mantine/core";
import { useEffect } from "react";
import { ApiError, get } from "../api/client";
import type { Doc, Proof } from "../api/models";
import { idOf } from "../lib/doc";
import { count } from "../lib/format";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { CopyButton } from "../ui/CopyButton";
import { Facts } from "../ui/Facts";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/Notices";
import styles from "./event.module.css";

/** A checkpoint is signed every second or so; until then the server answers 409. */
const ASK_AGAIN_MS = 1500;
/** A download has begun by then. */
const KEEP_MS = 10_000;

/** Why one can believe that this event stands in the trail as it was written. */
export function ProofTab({ doc }: { readonly doc: Doc }) {
  const { data, error, reload } = useProof(idOf(doc));
  if (data !== undefined) return <Proven doc={doc} proof={data} />;
  if (isPending(error)) return <Verdict tone="warn" title={m.proof.pending} text={m.proof.pendingText} />;
  return error === undefined ? null : <Problem error={error} retry={reload} />;
}

const isPending = (error: Error | undefined): boolean => error instanceof ApiError && error.status === 409;

function useProof(id: string) {
  const loaded = useLoad(`proof ${id}`, (signal) => get<Proof>(`events/${encodeURIComponent(id)}/proof`, {}, signal), { fresh: true });
  const { data, error, reload } = loaded;
  useEffect(() => {
    if (data !== undefined || !isPending(error)) return undefined;
    const timer = setTimeout(reload, ASK_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [data, error, reload]);
  return loaded;
}

function Proven({ doc, proof }: { readonly doc: Doc; readonly proof: Proof }) {
  return (
    <div className={styles.proof}>
      <Verdict tone={proof.verified ? "ok" : "bad"} title={proof.verified ? m.proof.verified : m.proof.failed} text={proof.verified ? m.proof.verifiedText : m.proof.failedText} />
      <Facts
        rows={[
          [m.proof.index, m.proof.of(count(proof.index), count(proof.size))],
          [m.proof.leaf, <code key="leaf">{proof.leaf_hash}</code>],
          [m.proof.root, <code key="root">{proof.root}</code>],
          [m.trail.key, <code key="key">{proof.vkey}</code>],
        ]}
      />
      <h3>{m.proof.path}</h3>
      <p className={styles.dim}>{m.proof.pathText(proof.path.length)}</p>
      <ol className={styles.path}>
        {proof.path.map((hash, at) => (
          <li key={at}>
            <code>{hash}</code>
          </li>
        ))}
      </ol>
      <h3>{m.proof.checkpoint}</h3>
      <pre className={styles.block}>
        <Hostile text={proof.checkpoint.trimEnd()} />
      </pre>
      <h3>{m.proof.offline}</h3>
      <Command text={`jwtrail verify-proof ${fileName(proof, "json")} --key '${proof.vkey}'`} />
      <div className={styles.downloads}>
        <Button leftSection={<Icon name="download" size={15} />} onClick={() => save(fileName(proof, "json"), bundle(doc, proof))}>
          {m.proof.download}
        </Button>
        <Button variant="default" leftSection={<Icon name="download" size={15} />} title={m.proof.plainText} onClick={() => save(fileName(proof, "tlog-proof"), proof.proof)}>
          {m.proof.plain}
        </Button>
      </div>
    </div>
  );
}

function Verdict({ tone, title, text }: { readonly tone: "ok" | "bad" | "warn"; readonly title: string; readonly text: string }) {
  return (
    <div className={styles.verdict} data-tone={tone} role="status">
      <Icon name={tone === "ok" ? "shield" : tone === "bad" ? "shieldOff" : "shieldWait"} size={22} />
      <div>
        <strong>{title}</strong>
        <p>{text}</p>
      </div>
    </div>
  );
}

function Command({ text }: { readonly text: string }) {
  return (
    <div className={styles.command}>
      <code>{text}</code>
      <CopyButton icon="copy" label={m.event.copy} text={() => text} />
    </div>
  );
}

/** Only the characters of an id: the name of a file must not be chosen by an event. */
const fileName = (proof: Proof, kind: string): string => `${proof.event_id.replace(/[^0-9a-zA-Z-]/g, "")}.${kind}`;

/** What `jwtrail trail prove` writes and `jwtrail verify-proof` reads: the event, its entry in the tree and the proof. */
function bundle(doc: Doc, proof: Proof): string {
  return `${JSON.stringify({ event: doc, entry: proof.entry, salt: proof.salt, proof: proof.proof }, null, 2)}\n`;
}

function save(name: string, content: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEEP_MS);
}
