import type { ReactNode } from "react";
import styles from "./facts.module.css";
import { Hostile } from "./Hostile";

/** Names and values, one below the other; rows without a value are left out. */
export function Facts({ rows }: { readonly rows: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={styles.facts}>
      {rows
        .filter(([, value]) => value !== "" && value !== null && value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{typeof value === "string" ? <Hostile text={value} /> : value}</dd>
          </div>
        ))}
    </dl>
  );
}
