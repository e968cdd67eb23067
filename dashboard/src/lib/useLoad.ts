import { useCallback, useEffect, useRef, useState } from "react";

export interface Loaded<T> {
  /** The newest answer; the one before stays while the next is on its way. */
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
}

interface Options {
  /** Asks again after so many ms, while the page can be seen. */
  readonly every?: number | undefined;
  /** Forgets the answer as soon as the key changes: for a page about one thing. */
  readonly fresh?: boolean;
}

/** Loads when `key` changes; an answer that was overtaken is thrown away. A null key loads nothing. */
export function useLoad<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>, options: Options = {}): Loaded<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: Error | undefined }>({ key: null });
  const [loading, setLoading] = useState(key !== null);
  const [turn, setTurn] = useState(0);
  const busy = useRef(false);
  const latest = useRef(load);
  latest.current = load;
  const reload = useCallback(() => setTurn((before) => before + 1), []);

  useEffect(() => {
    if (key === null) return undefined;
    const stop = new AbortController();
    const unlessStopped = (act: () => void) => {
      if (!stop.signal.aborted) act();
    };
    setLoading(true);
    busy.current = true;
    latest
      .current(stop.signal)
      .then(
        (data) => unlessStopped(() => setState({ key, data })),
        (error: unknown) => unlessStopped(() => setState((before) => ({ ...before, key, error: asError(error) }))),
      )
      .finally(() =>
        unlessStopped(() => {
          busy.current = false;
          setLoading(false);
        }),
      );
    return () => stop.abort();
  }, [key, turn]);

  useEffect(() => {
    if (options.every === undefined || key === null) return undefined;
    // A slow answer is waited for: asking again would throw it away, and the next one would be as slow.
    const timer = setInterval(() => document.hidden || busy.current || reload(), options.every);
    return () => clearInterval(timer);
  }, [key, options.every, reload]);

  const stale = options.fresh === true && state.key !== key;
  return { data: stale ? undefined : state.data, error: stale ? undefined : state.error, loading, reload };
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
