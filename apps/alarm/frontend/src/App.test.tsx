import { act, cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "./App";
import type { Panel } from "./api";
import { secondsUntil } from "./Countdown";
import { FakeSocket } from "./fakeSocket";

const PANEL: Panel = {
  version: "1.2.3",
  state: "disarmed",
  mode: null,
  deadline: null,
  exit_delay_s: 30,
  entry_delay_s: 20,
  sensors: [{ key: "hallway", name: "Hallway", kind: "motion", active: false }],
  events: [{ id: 7, at: "2026-03-15T12:00:00Z", kind: "doorbell", detail: "Postman" }],
};

/** Status and body for "METHOD /path"; a test changes what it is about. */
let answers: Record<string, [number, unknown]>;
let sent: [string, unknown][];

beforeEach(() => {
  FakeSocket.made = [];
  sent = [];
  answers = { "POST /api/panel": [200, PANEL], "GET /api/events": [200, { events: PANEL.events }] };
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("fetch", async (path: string, { method = "GET", body }: { method?: string; body?: string } = {}) => {
    if (body) sent.push([`${method} ${path}`, JSON.parse(body)]);
    const [status, answer] = answers[`${method} ${path}`] ?? [500, {}];
    return Response.json(answer, { status });
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

const push = (change: Partial<Panel> = {}) => act(() => FakeSocket.last.push({ ...PANEL, ...change }));
const title = () => screen.getByRole("heading", { level: 1 }).textContent;

describe("the panel's page", () => {
  it("shows what is pushed, each time it is", () => {
    open();
    screen.getByText("Waiting for the panel…");
    push();
    expect(title()).toBe("Disarmed");
    expect(screen.getByText("Hallway").parentElement!.dataset.active).toBe("false");
    screen.getByText(/Postman/);
    expect(document.querySelector("footer")!.textContent).toBe("Live · version 1.2.3");

    push({ state: "triggered", mode: "away", sensors: [{ ...PANEL.sensors[0]!, active: true }] });
    expect(title()).toBe("Alarm");
    expect(screen.getByText("Hallway").parentElement!.dataset.active).toBe("true");
  });

  it("sends a command with the code", async () => {
    open();
    push();
    await userEvent.type(screen.getByLabelText("Code"), "2468");
    await userEvent.click(screen.getByRole("button", { name: "Arm away" }));

    expect(sent).toEqual([["POST /api/panel", { command: "arm_away", code: "2468" }]]);
    expect((screen.getByLabelText("Code") as HTMLInputElement).value).toBe("");
  });

  it("offers to disarm what is armed", () => {
    open();
    push({ state: "armed", mode: "home" });

    screen.getByRole("button", { name: "Disarm" });
    expect(screen.queryByRole("button", { name: "Arm away" })).toBeNull();
  });

  it("says why a command was refused", async () => {
    answers["POST /api/panel"] = [403, { detail: "This is not the code." }];
    open();
    push();
    await userEvent.click(screen.getByRole("button", { name: "Arm at home" }));

    expect((await screen.findByRole("alert")).textContent).toBe("This is not the code.");
  });

  it("goes on showing what it knows while the connection is lost", () => {
    open();
    push({ state: "armed", mode: "home" });
    act(() => FakeSocket.last.lose());

    expect(title()).toBe("Armed");
    expect(screen.getByRole("status").dataset.connection).toBe("lost");
  });
});

describe("the log", () => {
  it("is asked for again when there is news", async () => {
    open("/log");
    await screen.findByText(/Postman/);
    answers["GET /api/events"] = [200, { events: [{ ...PANEL.events[0]!, id: 8, detail: "Neighbour" }] }];
    push({ events: [{ ...PANEL.events[0]!, id: 8 }] });

    await screen.findByText(/Neighbour/);
  });
});

describe("a countdown", () => {
  it("counts begun seconds and ends at zero", () => {
    const moment = "2026-03-15T12:00:00Z";
    expect(secondsUntil(moment, Date.parse("2026-03-15T11:59:58.900Z"))).toBe(2);
    expect(secondsUntil(moment, Date.parse("2026-03-15T12:00:05Z"))).toBe(0);
  });
});
