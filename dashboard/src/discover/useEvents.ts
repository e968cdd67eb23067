/** The events of the table: pages from the search, and above them what arrives while it is live. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { get } from "../api/client";
import type { Doc, EventsPage } from "../api/models";
import { openStream } from "../api/stream";
import { idOf } from "../lib/doc";
import { asError } from "../lib/useLoad";

const PAGE = 200;
/** Rows kept in the page; beyond it one narrows the question. */
export const MAX_ROWS = 10_000;
const MAX_LIVE = 2000;
/** Arrivals are drawn together, so that a thousand a second do not draw a thousand times. */
const FLUSH_MS = 250;

interface Asked {
  readonly q: string;
  readonly from: string;
  readonly to: string;
}

interface Pages {
  readonly key: string;
  readonly events: readonly Doc[];
  readonly next: string | null;
  readonly took: number;
}

const NOTHING: Pages = { key: "", events: [], next: null, took: 0 };

export interface Events {
  readonly events: readonly Doc[];
  readonly loading: boolean;
  /** True while `events` still answers the question before. */
  readonly stale: boolean;
  readonly error: Error | undefined;
  readonly took: number;
  readonly more: () => void;
}

export function useEvents(asked: Asked, turn: number): Events {
  const key = JSON.stringify([asked, turn]);
  const [pages, setPages] = useState<Pages>(NOTHING);
  const [error, setError] = useState<Error>();
  const [loading, setLoading] = useState(true);
  const busy = useRef<AbortController>(null);
  const latest = useRef({ key, asked, pages });
  latest.current = { key, asked, pages };

  const fetchPage = useCallback(async (before: Pages | null) => {
    busy.current?.abort();
    const stop = new AbortController();
    busy.current = stop;
    const { key: wanted, asked: params } = latest.current;
    setLoading(true);
    try {
      const page = await get<EventsPage>("events", { ...params, limit: PAGE, cursor: before?.next ?? undefined }, stop.signal);
      if (stop.signal.aborted) return;
      const events = before === null ? page.events : withoutTwins([...before.events, ...page.events]);
      setPages({ key: wanted, events, next: page.next, took: page.took_ms });
      setError(undefined);
    } catch (problem) {
      if (!stop.signal.aborted) setError(asError(problem));
    } finally {
      if (!stop.signal.aborted) {
        busy.current = null;
        setLoading(false);
      }
    }
  }, []);

  useEffect(() => {
    void fetchPage(null);
    return () => busy.current?.abort();
  }, [key, fetchPage]);

  const more = useCallback(() => {
    const { pages: now, key: wanted } = latest.current;
    if (busy.current === null && now.key === wanted && now.next !== null && now.events.length < MAX_ROWS) void fetchPage(now);
  }, [fetchPage]);

  return { events: pages.events, loading, stale: pages.key !== key && error === undefined, error, took: pages.took, more };
}

export interface Live {
  readonly arrived: readonly Doc[];
  readonly connected: boolean;
  /** Events that came too fast for the server to send. */
  readonly lost: number;
}

const QUIET: Live = { arrived: [], connected: false, lost: 0 };

export function useLive(q: string, on: boolean): Live {
  const [live, setLive] = useState(QUIET);
  useEffect(() => {
    setLive(QUIET);
    if (!on) return undefined;
    let waiting: Doc[] = [];
    const close = openStream("events/stream", { q }, {
      connected: (connected) => setLive((before) => ({ ...before, connected })),
      on: {
        event: (doc) => waiting.unshift(doc as Doc),
        lost: (number) => setLive((before) => ({ ...before, lost: before.lost + Number(number) })),
      },
    });
    const timer = setInterval(() => {
      if (waiting.length === 0) return;
      const fresh = waiting;
      waiting = [];
      setLive((before) => ({ ...before, arrived: [...fresh, ...before.arrived].slice(0, MAX_LIVE) }));
    }, FLUSH_MS);
    return () => {
      close();
      clearInterval(timer);
    };
  }, [q, on]);
  return live;
}

/** What arrived above what was found; an event that is in both stands once. */
export function useJoined(arrived: readonly Doc[], found: readonly Doc[]): readonly Doc[] {
  return useMemo(() => (arrived.length === 0 ? found : withoutTwins([...arrived, ...found])), [arrived, found]);
}

export function withoutTwins(docs: readonly Doc[]): Doc[] {
  const seen = new Set<string>();
  return docs.filter((doc) => {
    const id = idOf(doc);
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}
