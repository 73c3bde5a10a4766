/** The backend's API, typed. Every function throws an Error whose message can be shown. */

export const KINDS = ["lesson", "decision", "error"] as const;
export type Kind = (typeof KINDS)[number];

export interface Memory {
  id: string;
  kind: Kind;
  text: string;
  run_id: string | null;
  created_at: string;
}

export interface FoundMemory extends Memory {
  /** Cosine similarity with what was asked, at most 1. */
  score: number;
}

export interface Run {
  id: string;
  goal: string;
  status: "running" | "succeeded" | "failed";
  started_at: string;
  finished_at: string | null;
}

export interface RunWithMemories extends Run {
  recalled: FoundMemory[];
}

export const newestMemories = () => request<Memory[]>("GET", "/memories");
export const searchMemories = (about: string) =>
  request<FoundMemory[]>("GET", `/memories/search?q=${encodeURIComponent(about)}`);
export const remember = (kind: Kind, text: string) => request<Memory>("POST", "/memories", { kind, text });
export const forget = (id: string) => request<void>("DELETE", `/memories/${id}`);

export const latestRuns = () => request<Run[]>("GET", "/runs");
export const startRun = (goal: string) => request<RunWithMemories>("POST", "/runs", { goal });
export const getRun = (id: string) => request<RunWithMemories>("GET", `/runs/${id}`);
export const endRun = (id: string, status: "succeeded" | "failed", learned: string) =>
  request<Run>("PATCH", `/runs/${id}`, { status, learned: learned || null });

export const getVersion = () => request<{ version: string }>("GET", "/version");

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`/api${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  }).catch(() => {
    throw new Error("The server cannot be reached.");
  });
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok || answer === null) throw new Error(explain(answer) ?? `The server answered ${response.status}.`);
  return answer as T;
}

/** What FastAPI gives as the reason: `{"detail": "…"}`, or `{"detail": [{"msg": "…"}, …]}`. */
function explain(answer: unknown): string | undefined {
  const detail = (answer as { detail?: unknown } | null)?.detail;
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail)) return detail.map((one: { msg?: string }) => one.msg ?? "").join(" ");
  return undefined;
}
