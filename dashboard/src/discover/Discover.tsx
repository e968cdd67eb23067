import { Button } from "@mantine/core";
import { useCallback, useMemo, useState } from "react";
import { ApiError, get } from "../api/client";
import type { FieldsPage, Histogram as HistogramData, TopValues } from "../api/models";
import { Histogram, Key } from "../chart/Histogram";
import { totals } from "../chart/bars";
import { EventPanel } from "../event/EventPanel";
import { clause, narrow } from "../kql/clause";
import { KqlBar, KqlError } from "../kql/KqlBar";
import { duration } from "../lib/format";
import { adjust, between, DEFAULT_RANGE, type TimeRange } from "../lib/timeRange";
import { navigate, type UrlState, useUrl } from "../lib/urlState";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { useNow, useStatus } from "../status";
import { Icon } from "../ui/icons";
import { IconButton } from "../ui/IconButton";
import { Empty, Problem } from "../ui/Notices";
import { TimePicker } from "../ui/TimePicker";
import styles from "./discover.module.css";
import { EventTable } from "./EventTable";
import { ExportMenu } from "./ExportMenu";
import { FieldSidebar } from "./FieldSidebar";
import { MAX_ROWS, useEvents, useJoined, useLive } from "./useEvents";

/** Narrower than this the table needs the room of the field list. */
const WIDE = "(min-width: 1101px)";
/** While live the bars are asked for again so often, ms. */
const LIVE_BARS_EVERY = 2000;
const BARS = 80;

export function Discover() {
  const url = useUrl();
  const [turn, setTurn] = useState(0);
  const [showFields, setShowFields] = useState(() => matchMedia(WIDE).matches);
  const range = useMemo(() => ({ from: url.from, to: url.to }), [url.from, url.to]);
  const fields = useLoad("fields", (signal) => get<FieldsPage>("fields", {}, signal)).data?.fields ?? NO_FIELDS;
  const found = useEvents(useMemo(() => ({ q: url.q, ...range }), [url.q, range]), turn);
  const live = useLive(url.q, url.live);
  const events = useJoined(live.arrived, found.events);
  const bars = useLoad(JSON.stringify([url.q, range, turn]), (signal) => get<HistogramData>("histogram", { q: url.q, ...range, buckets: BARS }, signal), { every: url.live ? LIVE_BARS_EVERY : undefined });
  const refused = found.error instanceof ApiError && found.error.status === 400 ? found.error : undefined;

  const refresh = useCallback(() => setTurn((before) => before + 1), []);
  const submit = (q: string) => (q === url.q ? refresh() : navigate({ q, event: "" }));
  const open = useCallback((event: string) => navigate({ event }, { replace: true }), []);
  const filter = useCallback((field: string, value: unknown, keep: boolean) => navigate({ q: narrow(url.q, clause(field, value), keep), event: "" }), [url.q]);
  const setRange = (next: TimeRange) => navigate({ ...next, live: url.live && next.to === "now" });
  const liveValues = useLiveValues(range, turn);

  return (
    <div className={styles.screen}>
      <h1 className="sr">{m.app.screens.discover}</h1>
      <div className={styles.controls}>
        <KqlBar query={url.q} fields={fields} error={refused} onSubmit={submit} liveValues={liveValues} />
        <TimePicker range={range} onChange={setRange} />
        <LiveButton url={url} connected={live.connected} />
        <IconButton icon="refresh" label={m.time.refresh} className={styles.refresh} onClick={refresh} />
      </div>
      {refused === undefined ? null : (
        <div className={styles.refused}>
          <KqlError error={refused} />
        </div>
      )}
      <section className={styles.bars}>
        <BarsHead data={bars.data} range={range} onRange={setRange} />
        <Histogram data={bars.data} onZoom={(from, to) => setRange(between(from, to))} />
      </section>
      <section className={styles.main}>
        {showFields ? <FieldSidebar fields={fields} range={range} query={url.q} turn={turn} onFilter={filter} onExists={(field) => navigate({ q: narrow(url.q, `${field} : *`, true) })} /> : null}
        <div className={styles.results} data-stale={found.stale || undefined}>
          <ResultsHead url={url} total={bars.data} loaded={events.length} took={found.stale ? 0 : found.took} lost={live.lost} busy={found.loading}>
            <IconButton icon="filter" label={showFields ? m.fields.hide : m.fields.show} aria-pressed={showFields} onClick={() => setShowFields(!showFields)} />
          </ResultsHead>
          {found.error !== undefined && refused === undefined ? <Problem error={found.error} retry={refresh} /> : null}
          {events.length > 0 ? (
            <EventTable events={events} chosen={url.event} onOpen={open} onFilter={filter} onEnd={found.more} />
          ) : found.loading || found.error !== undefined ? null : (
            <NothingFound url={url} />
          )}
          {events.length >= MAX_ROWS ? <p className={styles.full}>{m.events.full(MAX_ROWS)}</p> : null}
        </div>
        {url.event === "" ? null : <EventPanel id={url.event} known={events} onFilter={filter} onOpen={open} />}
      </section>
    </div>
  );
}

/** Values of a field in the span, each field asked for once. */
function useLiveValues(range: TimeRange, turn: number) {
  return useMemo(() => {
    const known = new Map<string, Promise<string[]>>();
    const ask = async (field: string) => (await get<TopValues>("top", { field, ...range, size: 20 })).values.map(({ value }) => value);
    return (field: string) => {
      const values = known.get(field) ?? ask(field);
      known.set(field, values);
      return values;
    };
  }, [range, turn]);
}

const NO_FIELDS: FieldsPage["fields"] = [];

function LiveButton({ url, connected }: { readonly url: UrlState; readonly connected: boolean }) {
  const start = () => navigate({ live: true, ...(url.to === "now" ? {} : DEFAULT_RANGE) });
  return (
    <Button
      variant={url.live ? "filled" : "default"}
      className={styles.live ?? ""}
      aria-pressed={url.live}
      title={url.live && !connected ? m.live.waiting : m.live.on}
      leftSection={<Icon name={url.live ? "pause" : "play"} size={15} />}
      onClick={() => (url.live ? navigate({ live: false }) : start())}
    >
      {url.live ? m.live.stop : m.live.start}
    </Button>
  );
}

function BarsHead({ data, range, onRange }: { readonly data: HistogramData | undefined; readonly range: TimeRange; readonly onRange: (range: TimeRange) => void }) {
  const now = useNow();
  const sum = totals(data?.buckets ?? []);
  const step = (kind: "in" | "out" | "back" | "on") => () => onRange(adjust(range, kind, now));
  return (
    <div className={styles.barsHead}>
      {data === undefined ? null : <Key kind="success" value={sum.success} />}
      {data === undefined ? null : <Key kind="failure" value={sum.failure} />}
      {sum.unknown > 0 ? <Key kind="unknown" value={sum.unknown} /> : null}
      <span className={styles.interval}>{data === undefined ? "" : m.histogram.interval(duration(data.interval_us))}</span>
      <IconButton icon="left" label={m.histogram.back} onClick={step("back")} />
      <IconButton icon="zoomOut" label={m.histogram.out} onClick={step("out")} />
      <IconButton icon="zoomIn" label={m.histogram.in} onClick={step("in")} />
      <IconButton icon="right" label={m.histogram.on} onClick={step("on")} />
    </div>
  );
}

interface HeadProps {
  readonly url: UrlState;
  readonly total: HistogramData | undefined;
  readonly loaded: number;
  readonly took: number;
  readonly lost: number;
  readonly busy: boolean;
  readonly children: React.ReactNode;
}

function ResultsHead({ url, total, loaded, took, lost, busy, children }: HeadProps) {
  const sum = totals(total?.buckets ?? []);
  const all = Math.max(loaded, sum.success + sum.failure + sum.unknown);
  return (
    <div className={styles.resultsHead} aria-busy={busy}>
      {children}
      <strong>{m.events.counted(all)}</strong>
      <span aria-live="polite">{all > loaded ? m.events.loaded(loaded) : ""}</span>
      <span className={styles.took}>{took > 0 ? `${took} ms` : ""}</span>
      {lost > 0 ? <span className={styles.lost}>{m.live.lost(lost)}</span> : null}
      <span className={styles.space} />
      <ExportMenu q={url.q} from={url.from} to={url.to} />
    </div>
  );
}

function NothingFound({ url }: { readonly url: UrlState }) {
  const size = useStatus().status?.size;
  if (size === 0) return <Empty icon="discover" title={m.events.emptyTrail} text={m.events.emptyTrailText} />;
  return (
    <Empty icon="discover" title={m.events.emptyTitle} text={m.events.emptyText}>
      <div className={styles.row}>
        <Button variant="default" onClick={() => navigate({ from: "now-7d", to: "now" })}>
          {m.events.widen}
        </Button>
        {url.q === "" ? null : (
          <Button variant="default" onClick={() => navigate({ q: "" })}>
            {m.events.clear}
          </Button>
        )}
      </div>
    </Empty>
  );
}
