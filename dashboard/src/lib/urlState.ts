/** The address bar is the whole state: a copied link shows what was seen. */
import { useMemo, useSyncExternalStore } from "react";
import { DEFAULT_RANGE, isMoment } from "./timeRange";

export const SCREENS = ["overview", "discover", "alerts", "denied"] as const;
export type Screen = (typeof SCREENS)[number];

export interface UrlState {
  readonly screen: Screen;
  /** KQL. */
  readonly q: string;
  readonly from: string;
  readonly to: string;
  /** New events appear by themselves. */
  readonly live: boolean;
  /** Id of the event that is open. */
  readonly event: string;
  /** Id of the alert that is open. */
  readonly alert: string;
  /** Which alerts are listed; every one when empty. */
  readonly status: string;
}

export const INITIAL: UrlState = {
  screen: "overview",
  ...DEFAULT_RANGE,
  q: "",
  live: false,
  event: "",
  alert: "",
  status: "open",
};

/** A longer address is cut by proxies; the server refuses a longer query anyway. */
const MAX_TEXT = 8192;

/** What an address says. What it does not say, or says wrongly, is as in `INITIAL`. */
export function parseUrl(search: string): UrlState {
  const given = new URLSearchParams(search);
  const text = (name: string, otherwise: string) => (given.get(name) ?? otherwise).slice(0, MAX_TEXT);
  const moment = (name: "from" | "to") => (isMoment(text(name, "")) ? text(name, "") : INITIAL[name]);
  const screen = text("screen", "");
  return {
    screen: isScreen(screen) ? screen : INITIAL.screen,
    q: text("q", INITIAL.q),
    from: moment("from"),
    to: moment("to"),
    live: given.get("live") === "1",
    event: text("event", INITIAL.event),
    alert: text("alert", INITIAL.alert),
    status: text("status", INITIAL.status),
  };
}

/** The shortest address that says it: what is as in `INITIAL` is left out. */
export function formatUrl(state: UrlState): string {
  const query = new URLSearchParams();
  if (state.screen !== INITIAL.screen) query.set("screen", state.screen);
  for (const name of ["q", "from", "to", "event", "alert", "status"] as const) {
    if (state[name] !== INITIAL[name]) query.set(name, state[name]);
  }
  if (state.live) query.set("live", "1");
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

/** A link's target, relative to the page. */
export function href(state: UrlState, change: Partial<UrlState>): string {
  return formatUrl({ ...state, ...change }) || "?";
}

const listeners = new Set<() => void>();

/** Goes there. `replace` leaves no step in the history: for what changes by itself or by typing. */
export function navigate(change: Partial<UrlState>, options: { replace?: boolean } = {}): void {
  const target = location.pathname + formatUrl({ ...parseUrl(location.search), ...change });
  if (target === location.pathname + location.search) return;
  if (options.replace === true) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  for (const listener of listeners) listener();
}

export function useUrl(): UrlState {
  const search = useSyncExternalStore(subscribe, () => location.search);
  return useMemo(() => parseUrl(search), [search]);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

function isScreen(text: string): text is Screen {
  return (SCREENS as readonly string[]).includes(text);
}
