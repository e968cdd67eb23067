import type { Doc } from "../api/models";
import { m } from "../messages";
import { CopyButton } from "../ui/CopyButton";
import { Hostile } from "../ui/Hostile";
import styles from "./event.module.css";

export function JsonTab({ doc }: { readonly doc: Doc }) {
  const lines = JSON.stringify(doc, null, 2).split("\n");
  return (
    <div className={styles.json}>
      <CopyButton icon="copy" label={m.event.copy} text={() => JSON.stringify(doc, null, 2)} />
      <pre>
        {lines.map((line, at) => (
          <span key={at}>
            <Hostile text={line} />
            {"\n"}
          </span>
        ))}
      </pre>
    </div>
  );
}
