import { lazy, Suspense, useEffect, useState } from "react";
import { get, onSignedOut } from "./api/client";
import type { Status } from "./api/models";
import styles from "./App.module.css";
import { useLoad } from "./lib/useLoad";
import { useUrl } from "./lib/urlState";
import { m } from "./messages";
import { Rail } from "./shell/Rail";
import { SignInEnded } from "./shell/SignInEnded";
import { TopBar } from "./shell/TopBar";
import { STATUS_EVERY, StatusContext } from "./status";
import { Boundary } from "./ui/Notices";

const SCREENS = {
  overview: lazy(async () => ({ default: (await import("./overview/Overview")).Overview })),
  discover: lazy(async () => ({ default: (await import("./discover/Discover")).Discover })),
  denied: lazy(async () => ({ default: (await import("./denied/Denied")).Denied })),
  alerts: lazy(async () => ({ default: (await import("./alerts/Alerts")).Alerts })),
};

export function App() {
  const [ended, setEnded] = useState(false);
  useEffect(() => onSignedOut(() => setEnded(true)), []);
  return ended ? <SignInEnded /> : <Console />;
}

function Console() {
  const { screen } = useUrl();
  const { data, error } = useLoad("status", (signal) => get<Status>("status", {}, signal), { every: STATUS_EVERY });
  const Screen = SCREENS[screen];
  useEffect(() => {
    document.title = `${m.app.screens[screen]} · ${m.app.name}`;
  }, [screen]);
  return (
    <StatusContext.Provider value={{ status: data, error }}>
      <div className={styles.shell}>
        <a className={styles.skip} href="#content" onClick={focusContent}>
          {m.app.skip}
        </a>
        <TopBar />
        <Rail />
        <main id="content" tabIndex={-1} className={styles.content}>
          <Boundary key={screen}>
            <Suspense fallback={null}>
              <Screen />
            </Suspense>
          </Boundary>
        </main>
      </div>
    </StatusContext.Provider>
  );
}

function focusContent(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
