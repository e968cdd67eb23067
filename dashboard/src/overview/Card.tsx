import { Icon, type IconName } from "../ui/icons";
import styles from "./overview.module.css";

interface Props {
  readonly title: string;
  readonly value: string;
  readonly note: string;
  readonly icon: IconName;
  readonly tone?: "plain" | "ok" | "warn" | "bad" | "critical";
  readonly onClick?: () => void;
}

/** One figure; a click leads to what it counts. */
export function Card({ title, value, note, icon, tone = "plain", onClick }: Props) {
  const inside = (
    <>
      <span className={styles.cardIcon} data-tone={tone}>
        <Icon name={icon} size={18} />
      </span>
      <span className={styles.cardText}>
        <span>{title}</span>
        <strong>{value}</strong>
        <span>{note}</span>
      </span>
    </>
  );
  if (onClick === undefined) return <div className={styles.card}>{inside}</div>;
  return (
    <button type="button" className={styles.card} onClick={onClick}>
      {inside}
    </button>
  );
}
