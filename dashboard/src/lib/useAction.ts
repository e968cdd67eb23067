import { useState } from "react";
import { asError } from "./useLoad";

/** A call that changes something: whether it is on its way, and what went wrong with the last one. */
export function useAction<A extends unknown[]>(act: (...given: A) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const run = (...given: A): void => {
    setBusy(true);
    setError(undefined);
    act(...given)
      .catch((problem: unknown) => setError(asError(problem)))
      .finally(() => setBusy(false));
  };
  return { busy, error, run };
}
