import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { App } from "./App";

const memory = (id: string, text: string) => ({ id, kind: "lesson", text, run_id: null, created_at: "2025-12-17T08:00:00Z" });
const run = (status: string) => ({ id: "r1", goal: "Shrink the image", status, started_at: "2025-12-17T08:00:00Z", finished_at: null });

/** Answers for "METHOD /path"; a test changes what it is about. */
let answers: Record<string, unknown>;
let sent: [string, unknown][];

beforeEach(() => {
  sent = [];
  answers = {
    "GET /memories": [memory("m1", "Pin the compiler"), memory("m2", "Read flags at start")],
    "GET /memories/search?q=compiler%20versions": [{ ...memory("m1", "Pin the compiler"), score: 0.4213 }],
    "GET /runs": [run("running")],
    "GET /runs/r1": { ...run("running"), recalled: [{ ...memory("m3", "Alpine has no wheels"), score: 0.3 }] },
    "GET /version": { version: "1.2.3" },
  };
  vi.stubGlobal("fetch", async (url: string, { method = "GET", body }: { method?: string; body?: string }) => {
    const call = `${method} ${url.replace("/api", "")}`;
    if (method !== "GET") sent.push([call, body && JSON.parse(body)]);
    const answer = answers[call];
    if (answer instanceof Error) throw answer;
    return answer === undefined ? new Response("{}", { status: 500 }) : Response.json(answer);
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function open(path = "/") {
  render(
    <MemoryRouter initialEntries={[path]}>
      <App />
    </MemoryRouter>,
  );
}

const memories = async () =>
  within(await screen.findByRole("region", { name: "Memory" }))
    .findAllByRole("listitem")
    .then((items) => items.map((item) => item.textContent));

it("shows the newest memories", async () => {
  open();
  expect(await memories()).toEqual(["Pin the compilerlessonForget", "Read flags at startlessonForget"]);
});

it("searches by meaning and shows how similar the found ones are", async () => {
  open();
  await userEvent.type(screen.getByRole("searchbox"), "compiler versions{Enter}");
  await screen.findByText("42 %");
  expect(await memories()).toEqual(["Pin the compilerlesson 42 %Forget"]);
  expect(screen.getByRole<HTMLMeterElement>("meter").value).toBeCloseTo(0.42);
});

it("searches for what stands in the address", async () => {
  open("/?q=compiler%20versions");
  await screen.findByText("42 %");
});

it("adds a memory and shows the list anew", async () => {
  answers["POST /memories"] = memory("m4", "New");
  open();
  await memories();
  answers["GET /memories"] = [memory("m4", "New")];
  await userEvent.type(screen.getByLabelText("Remember"), "New");
  await userEvent.selectOptions(screen.getByLabelText("Kind"), "decision");
  await userEvent.click(screen.getByRole("button", { name: "Add memory" }));
  await screen.findByText("New");
  expect(sent).toEqual([["POST /memories", { kind: "decision", text: "New" }]]);
});

it("says what went wrong and tries again", async () => {
  const good = answers["GET /memories"];
  answers["GET /memories"] = new TypeError("Failed to fetch");
  open();
  expect((await screen.findByRole("alert")).textContent).toContain("The server cannot be reached.");
  answers["GET /memories"] = good;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText("Pin the compiler");
});

it("starts a run and shows what is known about its goal", async () => {
  answers["POST /runs"] = answers["GET /runs/r1"];
  open();
  await userEvent.type(screen.getByLabelText("Goal"), "Shrink the image");
  await userEvent.click(screen.getByRole("button", { name: "Start run" }));
  await screen.findByText("Alpine has no wheels");
  expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("Shrink the image");
});

it("ends a run with what was learned", async () => {
  answers["PATCH /runs/r1"] = run("failed");
  open("/runs/r1");
  await userEvent.type(await screen.findByLabelText("Learned"), "Use slim");
  answers["GET /runs/r1"] = { ...run("failed"), recalled: [] };
  await userEvent.click(screen.getByRole("button", { name: "Failed" }));
  await screen.findByText("failed");
  expect(sent).toEqual([["PATCH /runs/r1", { status: "failed", learned: "Use slim" }]]);
});

it("shows the backend's version", async () => {
  open();
  await screen.findByText(/Autopack 1\.2\.3/);
});
