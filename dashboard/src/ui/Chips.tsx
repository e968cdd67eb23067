/** Small marks. Each says in words and by a shape what its colour says. */
import type { AlertStatus, Level } from "../api/models";
import { m } from "../messages";
import { Icon, type IconName } from "./icons";
import styles from "./ui.module.css";

type Tone = "ok" | "bad" | "warn" | "critical" | "info" | "plain";

export function Chip({ tone, icon, children }: { readonly tone: Tone; readonly icon?: IconName; readonly children: React.ReactNode }) {
  return (
    <span className={styles.chip} data-tone={tone}>
      {icon === undefined ? null : <Icon name={icon} size={13} />}
      {children}
    </span>
  );
}

export function OutcomeChip({ outcome }: { readonly outcome: string }) {
  if (outcome === "success") return <Chip tone="ok" icon="check">{m.histogram.success}</Chip>;
  if (outcome === "failure") return <Chip tone="bad" icon="cross">{m.histogram.failure}</Chip>;
  return <Chip tone="plain" icon="dash">{m.histogram.unknown}</Chip>;
}

const LEVELS: Readonly<Record<Level, { tone: Tone; bars: number }>> = {
  informational: { tone: "plain", bars: 1 },
  low: { tone: "info", bars: 1 },
  medium: { tone: "warn", bars: 2 },
  high: { tone: "bad", bars: 3 },
  critical: { tone: "critical", bars: 4 },
};

export function LevelChip({ level }: { readonly level: Level }) {
  const { tone, bars } = LEVELS[level];
  return (
    <span className={styles.chip} data-tone={tone}>
      <svg width={13} height={12} viewBox="0 0 13 12" aria-hidden="true">
        {[0, 1, 2, 3].map((bar) => (
          <rect key={bar} x={bar * 3.4} y={9 - bar * 3} width={2.4} height={3 + bar * 3} rx={0.6} fill="currentColor" opacity={bar < bars ? 1 : 0.25} />
        ))}
      </svg>
      {level}
    </span>
  );
}

const STATUS: Readonly<Record<AlertStatus, { tone: Tone; icon: IconName }>> = {
  open: { tone: "bad", icon: "alerts" },
  acknowledged: { tone: "info", icon: "check" },
  in_progress: { tone: "warn", icon: "clock" },
  closed: { tone: "plain", icon: "dash" },
};

export function StatusChip({ status }: { readonly status: AlertStatus }) {
  const { tone, icon } = STATUS[status];
  return (
    <Chip tone={tone} icon={icon}>
      {m.alerts.statuses[status]}
    </Chip>
  );
}
