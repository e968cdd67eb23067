import { useEffect, useState } from "react";
import { get } from "../api/client";
import type { Alert, AlertsPage } from "../api/models";
import { useAction } from "../lib/useAction";

/** Pages of alerts after the first. `more` is null when there are none. */
export function useOlder(status: string, after: number | null) {
  const [pages, setPages] = useState<readonly AlertsPage[]>([]);
  useEffect(() => setPages([]), [status]);
  const before = pages.length === 0 ? after : (pages.at(-1)?.next ?? null);
  const { busy, run } = useAction(async () => {
    const page = await get<AlertsPage>("alerts", { status, before: before ?? undefined });
    setPages((known) => [...known, page]);
  });
  const alerts: Alert[] = pages.flatMap((page) => page.alerts);
  return { alerts, loading: busy, more: before === null ? null : run };
}
