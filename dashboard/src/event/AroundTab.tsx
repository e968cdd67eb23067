import { get } from "../api/client";
import type { EventsPage } from "../api/models";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { EventList } from "../ui/EventList";
import { Problem } from "../ui/Notices";
import styles from "./event.module.css";

const EACH_SIDE = 10;

export function AroundTab({ id, onOpen }: { readonly id: string; readonly onOpen: (id: string) => void }) {
  const { data, error, reload } = useLoad(`around ${id}`, (signal) => get<EventsPage>(`events/${encodeURIComponent(id)}/around`, { n: EACH_SIDE }, signal), { fresh: true });
  if (error !== undefined && data === undefined) return <Problem error={error} retry={reload} />;
  return (
    <div className={styles.around}>
      <p className={styles.dim}>{m.event.around}</p>
      <EventList events={data?.events ?? []} chosen={id} onOpen={onOpen} />
    </div>
  );
}
