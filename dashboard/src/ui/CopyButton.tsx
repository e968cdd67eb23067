import { useState } from "react";
import { m } from "../messages";
import { IconButton } from "./IconButton";
import type { IconName } from "./icons";

const SHOWN_MS = 1500;

export function CopyButton({ icon, label, text }: { readonly icon: IconName; readonly label: string; readonly text: () => string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  };
  return <IconButton icon={done ? "check" : icon} label={done ? m.event.copied : label} onClick={() => void copy()} />;
}
