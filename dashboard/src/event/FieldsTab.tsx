import type { Doc } from "../api/models";
import { valueText } from "../lib/format";
import { m } from "../messages";
import { Hostile } from "../ui/Hostile";
import { IconButton } from "../ui/IconButton";
import styles from "./event.module.css";

/** Every field of the event by name. Objects, which KQL cannot ask for as a whole, are shown one leaf a row. */
export function FieldsTab({ doc, onFilter }: { readonly doc: Doc; readonly onFilter: (field: string, value: unknown, keep: boolean) => void }) {
  return (
    <table className={styles.fields}>
      <tbody>
        {leaves(doc).map(([field, value]) => (
          <tr key={field}>
            <th scope="row">{field}</th>
            <td>
              <Hostile text={valueText(value)} />
            </td>
            <td className={styles.actions}>
              <IconButton icon="include" label={m.events.include(field)} onClick={() => onFilter(field, value, true)} />
              <IconButton icon="exclude" label={m.events.exclude(field)} onClick={() => onFilter(field, value, false)} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function leaves(doc: Doc): [string, unknown][] {
  return Object.entries(doc)
    .flatMap(([field, value]): [string, unknown][] =>
      typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value).map(([key, leaf]) => [`${field}.${key}`, leaf]) : [[field, value]],
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
