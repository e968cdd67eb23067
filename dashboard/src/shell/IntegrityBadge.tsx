import { Popover } from "@mantine/core";
import type { TrailStatus } from "../api/models";
import { ago, count } from "../lib/format";
import { m } from "../messages";
import { useNow, useStatus } from "../status";
import { Facts } from "../ui/Facts";
import { Icon, type IconName } from "../ui/icons";
import styles from "./shell.module.css";

const LOOKS: Readonly<Record<TrailStatus["state"], { tone: string; icon: IconName }>> = {
  intact: { tone: "ok", icon: "shield" },
  unsigned: { tone: "warn", icon: "shieldWait" },
  unverified: { tone: "warn", icon: "shieldWait" },
  broken: { tone: "critical", icon: "shieldOff" },
};

/** Whether the trail can be trusted, always in sight; a click tells why. */
export function IntegrityBadge() {
  const trail = useStatus().status?.trail;
  const now = useNow();
  if (trail === undefined) {
    return (
      <span className={styles.badge} data-tone="plain">
        <Icon name="shieldWait" size={15} /> {m.trail.unknown}
      </span>
    );
  }
  const look = LOOKS[trail.state];
  const when = (us: number | null) => (us === null ? m.trail.never : ago(us, now));
  return (
    <Popover width={380} position="bottom-end" shadow="md" withinPortal>
      <Popover.Target>
        <button type="button" className={styles.badge} data-tone={look.tone}>
          <Icon name={look.icon} size={15} /> {m.trail[trail.state]}
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        {trail.detail === "" ? null : <p className={styles.detail}>{trail.detail}</p>}
        <Facts
          rows={[
            [m.trail.size, count(trail.size)],
            [m.trail.signed, when(trail.signed_us)],
            [m.trail.verified, when(trail.verified_us)],
            [m.trail.origin, trail.origin],
            [m.trail.root, trail.root],
            [m.trail.key, trail.vkey],
          ]}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
