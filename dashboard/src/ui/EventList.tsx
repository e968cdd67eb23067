import type { Doc } from "../api/models";
import { headline, idOf, text, timeOf, who } from "../lib/doc";
import { clock, day } from "../lib/format";
import { Hostile } from "./Hostile";
import { Icon } from "./icons";
import styles from "./eventlist.module.css";

/** A short list of events, one line each, in the order given. */
export function EventList({ events, chosen, onOpen }: { readonly events: readonly Doc[]; readonly chosen?: string; readonly onOpen: (id: string) => void }) {
  return (
    <ul className={styles.list}>
      {events.map((doc) => {
        const failed = text(doc, "event.outcome") === "failure";
        const note = [text(doc, "event.reason") || text(doc, "http.response.status_code"), who(doc) || text(doc, "source.ip")].filter((part) => part !== "").join(" · ");
        return (
          <li key={idOf(doc)}>
            <button type="button" aria-current={idOf(doc) === chosen || undefined} onClick={() => onOpen(idOf(doc))}>
              <time title={day(timeOf(doc))}>{clock(timeOf(doc))}</time>
              <span className={styles.mark} data-bad={failed || undefined} title={text(doc, "event.outcome")}>
                <Icon name={failed ? "cross" : "check"} size={13} />
                <span className="sr">{text(doc, "event.outcome")}</span>
              </span>
              <span className={styles.what}>
                <Hostile text={headline(doc)} />
              </span>
              <span className={styles.note}>
                <Hostile text={note} />
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
