/** The one door to `/api/v1`. Addresses are relative to the page, so the console works below any path. */
import type { Failure, Session } from "./models";

const PREFIX = "api/v1/";

export type Params = Readonly<Record<string, string | number | undefined>>;

/** An answer that is not a success, with what the server said of it. */
export class ApiError extends Error {
  readonly status: number;
  readonly failure: Partial<Failure>;

  constructor(status: number, failure: Partial<Failure>) {
    super(failure.message ?? `The server answered ${status}.`);
    this.status = status;
    this.failure = failure;
  }
}

/** `api/v1/<path>?<params>`; undefined and empty parameters are left out. */
export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return PREFIX + path + (text === "" ? "" : `?${text}`);
}

export async function get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  return read<T>(await request(address(path, params), { signal: signal ?? null }));
}

export async function send<T>(method: "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "X-CSRF-Token": await csrf() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const payload = body === undefined ? null : JSON.stringify(body);
  return read<T>(await request(PREFIX + path, { method, headers, body: payload }));
}

const signedOut = new Set<() => void>();

/** Calls `listener` whenever the server says that the sign-in has ended. Returns how to stop listening. */
export function onSignedOut(listener: () => void): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

let session: Promise<Session> | undefined;

export function currentSession(): Promise<Session> {
  session ??= get<Session>("session").catch((error: unknown) => {
    session = undefined;
    throw error;
  });
  return session;
}

async function csrf(): Promise<string> {
  return (await currentSession()).csrf;
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, {
      code: "unreachable",
      message: "The daemon does not answer.",
      hint: "Look at the terminal where `jwtrail serve` runs; this page tries again by itself.",
    });
  }
}

async function read<T>(response: Response): Promise<T> {
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  if (response.status === 401) for (const listener of signedOut) listener();
  const body = (await response.json().catch(() => ({}))) as { error?: Partial<Failure> };
  throw new ApiError(response.status, body.error ?? {});
}
