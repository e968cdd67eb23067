import { Button, Popover, TextInput } from "@mantine/core";
import { useState } from "react";
import { dateTime } from "../lib/format";
import { isMoment, label, momentUs, PRESETS, type TimeRange } from "../lib/timeRange";
import { m } from "../messages";
import { useNow } from "../status";
import { Icon } from "./icons";
import styles from "./timepicker.module.css";

interface Props {
  readonly range: TimeRange;
  readonly onChange: (range: TimeRange) => void;
}

export function TimePicker({ range, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const choose = (next: TimeRange) => {
    setOpen(false);
    onChange(next);
  };
  return (
    <Popover opened={open} onChange={setOpen} width={430} position="bottom-end" shadow="md" trapFocus returnFocus withinPortal>
      <Popover.Target>
        <Button variant="default" className={styles.button ?? ""} leftSection={<Icon name="clock" />} rightSection={<Icon name="down" size={14} />} onClick={() => setOpen(!open)} aria-label={`${m.time.label}: ${label(range, dateTime)}`}>
          {label(range, dateTime)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown className={styles.panel ?? ""}>
        <div className={styles.quick}>
          <h2>{m.time.quick}</h2>
          {PRESETS.map((preset) => (
            <button key={preset.label} type="button" aria-pressed={preset.from === range.from && preset.to === range.to} onClick={() => choose({ from: preset.from, to: preset.to })}>
              {preset.label}
            </button>
          ))}
        </div>
        <Exact range={range} onApply={choose} />
      </Popover.Dropdown>
    </Popover>
  );
}

function Exact({ range, onApply }: { readonly range: TimeRange; readonly onApply: (range: TimeRange) => void }) {
  const [from, setFrom] = useState(range.from);
  const [to, setTo] = useState(range.to);
  const now = useNow();
  const wrong = (text: string) => (isMoment(text.trim()) ? null : m.time.wrong);
  const ordered = wrong(from) !== null || wrong(to) !== null || momentUs(from.trim(), now) < momentUs(to.trim(), now);
  const valid = wrong(from) === null && wrong(to) === null && ordered;
  return (
    <form
      className={styles.exact}
      onSubmit={(event) => {
        event.preventDefault();
        if (valid) onApply({ from: from.trim(), to: to.trim() });
      }}
    >
      <h2>{m.time.exact}</h2>
      <TextInput size="sm" label={m.time.from} value={from} error={wrong(from)} onChange={(event) => setFrom(event.currentTarget.value)} data-autofocus />
      <TextInput size="sm" label={m.time.to} value={to} error={wrong(to) ?? (ordered ? null : m.time.order)} onChange={(event) => setTo(event.currentTarget.value)} />
      <p>{m.time.help}</p>
      <Button type="submit" disabled={!valid}>
        {m.time.apply}
      </Button>
    </form>
  );
}
