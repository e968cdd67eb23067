import type { ButtonHTMLAttributes } from "react";
import { Icon, type IconName } from "./icons";
import styles from "./ui.module.css";

type Props = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> & { readonly icon: IconName; readonly label: string };

/** A button of 28 × 28 px that shows only a picture; its words are its name and its tooltip. */
export function IconButton({ icon, label, className, ...rest }: Props) {
  return (
    <button type="button" title={label} aria-label={label} className={`${styles.iconButton} ${className ?? ""}`} {...rest}>
      <Icon name={icon} />
    </button>
  );
}
