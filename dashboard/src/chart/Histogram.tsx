import { useMantineColorScheme, useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import type { Histogram as Data } from "../api/models";
import { clock, compact, count, dateTime, day, duration } from "../lib/format";
import { m } from "../messages";
import { brushed, columns, spanOf, totals } from "./bars";
import styles from "./chart.module.css";

/** Width of the axis on the left, px. */
const AXIS = 44;
/** Room on the right for half a label, px. */
const MARGIN = 14;

interface Props {
  readonly data: Data | undefined;
  readonly height?: number;
  readonly onZoom?: (fromUs: number, toUs: number) => void;
}

/** Bars over time by outcome. Dragging, or the arrow keys and Enter, choose a span. */
export function Histogram({ data, height = 132, onZoom }: Props) {
  const [at, setAt] = useState<number | null>(null);
  const bars = data?.buckets.length ?? 0;
  const onKey = (event: React.KeyboardEvent) => {
    if (data === undefined || bars === 0) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step !== undefined) setAt((before) => Math.min(bars - 1, Math.max(0, (before ?? (step > 0 ? -1 : bars)) + step)));
    else if (event.key === "Enter" && at !== null) onZoom?.(...spanOf(data, at));
    else if (event.key === "Escape") setAt(null);
    else return;
    event.preventDefault();
  };
  const sum = totals(data?.buckets ?? []);
  return (
    <div className={styles.chart} style={{ height }} tabIndex={onZoom === undefined ? -1 : 0} role="group" aria-label={`${m.histogram.title}: ${m.histogram.summary(sum.success, sum.failure, bars)}. ${m.histogram.help}`} onKeyDown={onKey} onBlur={() => setAt(null)}>
      {data === undefined ? null : <Canvas data={data} height={height} onZoom={onZoom} at={at} onHover={setAt} />}
      {data !== undefined && at !== null && at < bars ? <Tip data={data} at={at} /> : null}
    </div>
  );
}

function Tip({ data, at }: { readonly data: Data; readonly at: number }) {
  const bucket = data.buckets[at];
  if (bucket === undefined) return null;
  return (
    <div className={styles.tip} role="status" data-side={at > data.buckets.length / 2 ? "left" : "right"} style={{ left: `calc(${AXIS}px + (100% - ${AXIS + MARGIN}px) * ${(at + 0.5) / data.buckets.length})` }}>
      <strong>{dateTime(bucket.start_us)}</strong>
      <span>{`+ ${duration(data.interval_us)}`}</span>
      <Key kind="failure" value={bucket.failure} />
      <Key kind="success" value={bucket.success} />
      {bucket.unknown > 0 ? <Key kind="unknown" value={bucket.unknown} /> : null}
    </div>
  );
}

export function Key({ kind, value }: { readonly kind: "success" | "failure" | "unknown"; readonly value: number }) {
  return (
    <span className={styles.key} data-kind={kind}>
      {m.histogram[kind]} <b>{count(value)}</b>
    </span>
  );
}

interface CanvasProps {
  readonly data: Data;
  readonly height: number;
  readonly onZoom: Props["onZoom"] | undefined;
  readonly at: number | null;
  readonly onHover: (at: number | null) => void;
}

function Canvas({ data, height, onZoom, at, onHover }: CanvasProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ data, onZoom, onHover });
  latest.current = { data, onZoom, onHover };
  const scheme = useComputedColorScheme("light");
  const { colorScheme } = useMantineColorScheme();

  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const chart = new uPlot(options(element, height, latest), columns(latest.current.data.buckets), element);
    plot.current = chart;
    const resize = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    // Text on a canvas is drawn with whatever font is there at the time.
    void document.fonts.ready.then(() => plot.current === chart && chart.redraw());
    return () => {
      resize.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [height, scheme, colorScheme]);

  useEffect(() => {
    plot.current?.setData(columns(data.buckets), false);
    plot.current?.setScale("x", { min: data.from_us / 1e6, max: data.to_us / 1e6 });
  }, [data]);

  useEffect(() => {
    const chart = plot.current;
    const start = at === null ? undefined : data.buckets[at]?.start_us;
    if (chart !== null && start !== undefined) chart.setCursor({ left: chart.valToPos((start + data.interval_us / 2) / 1e6, "x"), top: 0 }, false);
  }, [at, data]);

  return <div ref={host} className={styles.canvas} aria-hidden="true" />;
}

type Latest = { readonly current: { readonly data: Data; readonly onZoom: Props["onZoom"] | undefined; readonly onHover: (at: number | null) => void } };

function options(element: HTMLElement, height: number, latest: Latest): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${colour("--font")}`;
  const bars = uPlot.paths.bars?.({ size: [0.86, 48], align: 1, gap: 0 });
  const series = (name: string): uPlot.Series => ({ fill: colour(name), width: 0, points: { show: false }, ...(bars === undefined ? {} : { paths: bars }) });
  return {
    width: Math.max(1, element.clientWidth),
    height,
    padding: [8, MARGIN, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: latest.current.onZoom !== undefined, y: false, setScale: false } },
    scales: {
      x: { time: true, range: () => [latest.current.data.from_us / 1e6, latest.current.data.to_us / 1e6] },
      y: { range: (_chart, _low, high) => [0, Math.max(4, high * 1.06)] },
    },
    axes: [
      { stroke: colour("--dim"), font, size: 24, gap: 4, grid: { show: false }, ticks: { stroke: colour("--line-strong"), size: 4 }, space: 90, values: (_chart, ticks) => timeLabels(ticks) },
      { stroke: colour("--dim"), font, size: AXIS, gap: 6, space: 34, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, values: (_chart, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? compact(tick) : "")) },
    ],
    series: [{}, series("--bad-fill"), series("--ok-fill"), series("--unknown-fill")],
    hooks: {
      setSelect: [(chart) => select(chart, latest)],
      setCursor: [(chart) => hover(chart, latest)],
    },
  };
}

function select(chart: uPlot, latest: Latest): void {
  const { left, width } = chart.select;
  const { data, onZoom } = latest.current;
  if (width <= 0) return;
  const span = brushed(data, chart.posToVal(left, "x") * 1e6, chart.posToVal(left + width, "x") * 1e6);
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  if (span !== null && width > 4) onZoom?.(...span);
}

function hover(chart: uPlot, latest: Latest): void {
  const { left } = chart.cursor;
  const { data, onHover } = latest.current;
  const origin = data.buckets[0]?.start_us;
  if (left === undefined || left === null || left < 0 || origin === undefined) return onHover(null);
  const at = Math.floor((chart.posToVal(left, "x") * 1e6 - origin) / data.interval_us);
  return onHover(at >= 0 && at < data.buckets.length ? at : null);
}

/** `16:40`; the day as well on the first tick and where it changes; seconds only when ticks are closer than a minute. */
function timeLabels(ticks: readonly number[]): string[] {
  const close = (ticks[1] ?? 0) - (ticks[0] ?? 0) < 60;
  const wide = (ticks[1] ?? 0) - (ticks[0] ?? 0) >= 86_400;
  return ticks.map((tick, at) => {
    const date = day(tick * 1e6).slice(5);
    if (wide) return date;
    const time = clock(tick * 1e6, 0).slice(0, close ? 8 : 5);
    const before = ticks[at - 1];
    return before !== undefined && day(before * 1e6) !== day(tick * 1e6) ? `${date} ${time}` : time;
  });
}
