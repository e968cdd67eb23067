import { createContext, useContext } from "react";
import type { Status } from "./api/models";

/** How often the daemon is asked how it is, ms. */
export const STATUS_EVERY = 5000;

export interface StatusInfo {
  readonly status: Status | undefined;
  readonly error: Error | undefined;
}

export const StatusContext = createContext<StatusInfo>({ status: undefined, error: undefined });

export const useStatus = (): StatusInfo => useContext(StatusContext);

/** The daemon's now, so that "40 s ago" is right on a machine whose clock is not. */
export function useNow(): number {
  return useStatus().status?.now_us ?? Date.now() * 1000;
}
