import { Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { m } from "../messages";
import { IconButton } from "./IconButton";
import styles from "./ui.module.css";

/** A dialog over the page. Its head is ours: Mantine's is a second banner of the page to a screen reader. */
export function Dialog({ title, onClose, children }: { readonly title: string; readonly onClose: () => void; readonly children: ReactNode }) {
  return (
    <Modal.Root opened onClose={onClose} size={520} centered>
      <Modal.Overlay />
      <Modal.Content aria-label={title}>
        <Modal.Body>
          <div className={styles.dialogHead}>
            <h2>{title}</h2>
            <IconButton icon="cross" label={m.app.close} onClick={onClose} />
          </div>
          {children}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
