/** Server-sent events. The browser reconnects by itself; a stream that ended for good is reported once. */
import { address, type Params } from "./client";

export interface StreamHandlers {
  readonly on: Readonly<Record<string, (data: unknown) => void>>;
  /** `true` while messages can arrive. */
  readonly connected?: (yes: boolean) => void;
}

/** Opens `api/v1/<path>` and hands on each named message. Returns how to close it. */
export function openStream(path: string, params: Params, handlers: StreamHandlers): () => void {
  const source = new EventSource(address(path, params));
  source.onopen = () => handlers.connected?.(true);
  source.onerror = () => handlers.connected?.(false);
  for (const [name, handle] of Object.entries(handlers.on)) {
    source.addEventListener(name, (message) => handle(JSON.parse((message as MessageEvent<string>).data)));
  }
  return () => source.close();
}
