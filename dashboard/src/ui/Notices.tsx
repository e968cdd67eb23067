import { Button } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { ApiError } from "../api/client";
import { m } from "../messages";
import { Icon, type IconName } from "./icons";
import styles from "./ui.module.css";

/** What stands where there is nothing to show: what it means and what to do. */
export function Empty({ icon, title, text, children }: { readonly icon: IconName; readonly title: string; readonly text: string; readonly children?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <span className={styles.emptyIcon}>
        <Icon name={icon} size={26} />
      </span>
      <strong>{title}</strong>
      <p>
        <Words text={text} />
      </p>
      {children}
    </div>
  );
}

/** Text in which `this` is code. */
function Words({ text }: { readonly text: string }) {
  return text.split("`").map((part, at) => (at % 2 === 1 ? <code key={at}>{part}</code> : part));
}

/** An error in words, with the server's hint and a way to try again. */
export function Problem({ error, retry }: { readonly error: Error; readonly retry?: (() => void) | undefined }) {
  const hint = error instanceof ApiError ? error.failure.hint : undefined;
  return (
    <div className={styles.problem} role="alert">
      <Icon name="shieldOff" size={18} />
      <div>
        <strong>{error.message}</strong>
        {hint === undefined || hint === "" ? null : <p><Words text={hint} /></p>}
      </div>
      {retry === undefined ? null : (
        <Button size="compact-sm" variant="default" onClick={retry}>
          {m.app.retry}
        </Button>
      )}
    </div>
  );
}

/** A part that fails to draw takes no other part with it. */
export class Boundary extends Component<{ readonly children: ReactNode }, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return <Problem error={new Error(`${m.app.crashed} ${this.state.error.message}`)} retry={() => this.setState({ error: null })} />;
  }
}
