import { href, navigate, SCREENS, useUrl, type Screen } from "../lib/urlState";
import { m } from "../messages";
import { useStatus } from "../status";
import { Icon } from "../ui/icons";
import styles from "./shell.module.css";

/** The screens, down the left side. Query and span come along; what was open on a screen does not. */
export function Rail() {
  const url = useUrl();
  const open = useStatus().status?.open_alerts ?? 0;
  const go = (screen: Screen) => ({ screen, event: "", alert: "" });
  return (
    <nav className={styles.rail} aria-label={m.app.navigation}>
      {SCREENS.map((screen) => (
        <a
          key={screen}
          href={href(url, go(screen))}
          title={m.app.screens[screen]}
          aria-current={url.screen === screen ? "page" : undefined}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            navigate(go(screen));
          }}
        >
          <Icon name={screen} size={18} />
          <span className={styles.railText}>{m.app.screens[screen]}</span>
          {screen === "alerts" && open > 0 ? <span className={styles.count}>{open > 999 ? "999+" : open}</span> : null}
        </a>
      ))}
    </nav>
  );
}
