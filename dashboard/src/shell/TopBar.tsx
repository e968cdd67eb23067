import { Menu } from "@mantine/core";
import { currentSession, send } from "../api/client";
import { useLoad } from "../lib/useLoad";
import { m } from "../messages";
import { useStatus } from "../status";
import { Hostile } from "../ui/Hostile";
import { Icon } from "../ui/icons";
import { IntegrityBadge } from "./IntegrityBadge";
import styles from "./shell.module.css";
import { ThemeSwitch } from "./ThemeSwitch";

export function TopBar() {
  const { status, error } = useStatus();
  return (
    <header className={styles.bar}>
      <span className={styles.brand}>
        <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" fill="#0f766e" />
          <path d="M8 22.5h4.5l3-13 4 9.5 2-4H25" fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" strokeLinejoin="round" />
        </svg>
        {m.app.name}
      </span>
      {status === undefined ? null : (
        <span className={styles.service}>
          <Hostile text={status.service} />
        </span>
      )}
      <span className={styles.space} />
      {error === undefined ? null : (
        <span className={styles.unreachable} role="status">
          {m.app.unreachable}
        </span>
      )}
      <IntegrityBadge />
      <ThemeSwitch />
      <Person />
    </header>
  );
}

function Person() {
  const { data } = useLoad("session", currentSession);
  const user = data?.user ?? "";
  return (
    <Menu position="bottom-end" width={180}>
      <Menu.Target>
        <button type="button" className={styles.person} aria-label={user}>
          <Icon name="user" />
          <span>{user}</span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<Icon name="out" />} onClick={() => void send("POST", "session/logout").then(() => location.reload())}>
          {m.app.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
