/** The backend's API, typed. Every function throws an Error whose message can be shown. */

import type { Span } from "./days";

const BASE = import.meta.env.VITE_API_BASE_URL ?? "/api";

export interface Project {
  id: number;
  name: string;
  archived: boolean;
}

export interface Task {
  id: number;
  project: number;
  name: string;
}

export interface Entry extends Span {
  id: number;
  project_name: string;
  task_name: string;
  note: string;
  attachment: string | null;
}

export interface NewEntry extends Span {
  task: number;
  note: string;
}

export const listEntries = (day: string, signal: AbortSignal) =>
  request<Entry[]>("GET", `/entries?day=${day}`, { signal });
export const createEntry = (entry: NewEntry) => request<Entry>("POST", "/entries", { body: entry });
export const stopEntry = (id: number, ended_at: string) =>
  request<Entry>("PATCH", `/entries/${id}`, { body: { ended_at } });
export const deleteEntry = (id: number) => request<void>("DELETE", `/entries/${id}`);

export const listProjects = (signal?: AbortSignal) => request<Project[]>("GET", "/projects", { signal });
export const createProject = (name: string) => request<Project>("POST", "/projects", { body: { name } });
export const listTasks = (signal?: AbortSignal) => request<Task[]>("GET", "/tasks", { signal });
export const createTask = (project: number, name: string) =>
  request<Task>("POST", "/tasks", { body: { project, name } });

export const getVersion = () => request<{ version: string }>("GET", "/version");

interface More {
  body?: unknown;
  signal?: AbortSignal | undefined;
}

async function request<T>(method: string, path: string, { body, signal }: More = {}): Promise<T> {
  const response = await fetch(BASE + path, {
    method,
    signal: signal ?? null,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  }).catch((reason: unknown) => {
    if (signal?.aborted) throw reason;
    throw new Error("The server cannot be reached.");
  });
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok || answer === null) throw new Error(explain(answer) || `The server answered ${response.status}.`);
  return answer as T;
}

/** The sentences in a refusal: `{"detail": "…"}` or `{"field": ["…", "…"]}`. */
function explain(answer: unknown): string {
  if (typeof answer === "string") return answer;
  if (Array.isArray(answer)) return answer.map(explain).join(" ");
  return answer !== null && typeof answer === "object" ? Object.values(answer).map(explain).join(" ") : "";
}
