import { lazy, Suspense } from "react";
import type { Target } from "../lib/doc";

const Dialog = lazy(async () => ({ default: (await import("./RevokeDialog")).RevokeDialog }));

/** The dialog, fetched when it is first asked for: most visits never revoke. */
export function RevokeDialog(props: { readonly targets: readonly Target[]; readonly onClose: () => void }) {
  return (
    <Suspense fallback={null}>
      <Dialog {...props} />
    </Suspense>
  );
}
