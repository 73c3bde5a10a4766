/** The backend's API, typed. Every function throws an Error whose message can be shown. */

export type State = "disarmed" | "arming" | "armed" | "pending" | "triggered";
export type Command = "arm_home" | "arm_away" | "disarm";

export interface Sensor {
  key: string;
  name: string;
  kind: "door" | "window" | "motion" | "smoke";
  active: boolean;
}

export interface PanelEvent {
  id: number;
  at: string;
  kind: string;
  detail: string;
}

/** What the WebSocket pushes. */
export interface Panel {
  version: string;
  state: State;
  mode: "home" | "away" | null;
  deadline: string | null;
  exit_delay_s: number;
  entry_delay_s: number;
  sensors: readonly Sensor[];
  events: readonly PanelEvent[];
}

export const command = (name: Command, code: string) => request<Panel>("POST", "/panel", { command: name, code });
export const ring = (visitor: string) => request<PanelEvent>("POST", "/doorbell", { visitor });
export const listEvents = async () => (await request<{ events: PanelEvent[] }>("GET", "/events")).events;

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`/api${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  }).catch(() => {
    throw new Error("The server cannot be reached.");
  });
  if (response.status === 429) throw new Error("Too many tries: wait a moment.");
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as T;
  const { detail } = (answer ?? {}) as { detail?: string };
  throw new Error(detail ?? `The server answered ${response.status}.`);
}
