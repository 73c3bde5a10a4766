import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "./App";

const DAY = "2025-03-15";
const entry = (id: number, task_name: string, start: string, end: string | null) => ({
  id,
  project_name: "Windmill",
  task_name,
  started_at: `${DAY}T${start}:00+01:00`,
  ended_at: end && `${DAY}T${end}:00+01:00`,
  note: "",
  attachment: null,
});

/** Answers for "METHOD /path"; a test changes what it is about. */
let answers: Record<string, unknown>;
let sent: [string, unknown][];

beforeEach(() => {
  sent = [];
  answers = {
    [`GET /entries?day=${DAY}`]: [entry(1, "Design", "09:00", "10:30"), entry(2, "Review", "11:00", null)],
    "GET /projects": [{ id: 1, name: "Windmill", archived: false }],
    "GET /tasks": [{ id: 5, project: 1, name: "Design" }],
    "GET /version": { version: "1.2.3" },
  };
  vi.stubGlobal("fetch", async (url: string, { method = "GET", body }: { method?: string; body?: string }) => {
    const call = `${method} ${url.split("/api")[1]}`;
    if (body) sent.push([call, JSON.parse(body)]);
    const answer = answers[call];
    if (answer instanceof Error) throw answer;
    return answer === undefined ? new Response("{}", { status: 500 }) : Response.json(answer);
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function open(path = `/day/${DAY}`) {
  render(
    <MemoryRouter initialEntries={[path]}>
      <App />
    </MemoryRouter>,
  );
}

describe("the page of a day", () => {
  it("lists the entries with their total", async () => {
    open();
    const items = await screen.findAllByRole("listitem");

    expect(items.map((item) => within(item).getByRole("strong").textContent)).toEqual(["Design", "Review"]);
    expect(items[0]!.textContent).toContain("1 h 30 min");
    expect(items[1]!.textContent).toContain("running");
    expect(screen.getByText("Total").parentElement!.textContent).toBe("Total 1 h 30 min");
    expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("Saturday 15 March 2025");
  });

  it("says that a day is empty", async () => {
    answers[`GET /entries?day=${DAY}`] = [];
    open();
    await screen.findByText(/Nothing yet/);
  });

  it("says what went wrong and tries again", async () => {
    const entries = answers[`GET /entries?day=${DAY}`];
    answers[`GET /entries?day=${DAY}`] = new TypeError("Failed to fetch");
    open();
    expect((await screen.findByRole("alert")).textContent).toContain("The server cannot be reached.");

    answers[`GET /entries?day=${DAY}`] = entries;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    await screen.findByText("Review");
  });

  it("adds an entry to a task that it finds by name", async () => {
    answers["POST /entries"] = entry(3, "Design", "11:00", "12:00");
    open();
    await screen.findByText("Review");
    await userEvent.type(screen.getByLabelText("Project"), "windmill");
    await userEvent.type(screen.getByLabelText("Task"), "Design");
    await userEvent.type(screen.getByLabelText("End"), "12:00");
    await userEvent.click(screen.getByRole("button", { name: "Add entry" }));
    await screen.findByRole("button", { name: "Add entry" });

    const started = { task: 5, started_at: `${DAY}T09:00`, ended_at: `${DAY}T12:00`, note: "" };
    expect(sent).toEqual([["POST /entries", started]]);
  });

  it("shows the backend's version", async () => {
    open();
    await screen.findByText(/TimeTracker 1\.2\.3/);
  });

  it("is today's when the address names no day", async () => {
    open("/day/2025-02-30");
    expect(screen.getByRole("link", { name: "Today" }).getAttribute("aria-current")).toBe("date");
  });
});
