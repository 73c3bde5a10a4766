import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeSocket } from "./fakeSocket";
import { type Connection, LastingSocket } from "./socket";

let states: Connection[];
let texts: string[];
let socket: LastingSocket;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.spyOn(Math, "random").mockReturnValue(1);
  FakeSocket.made = [];
  states = [];
  texts = [];
  socket = new LastingSocket("ws://alarm.test/ws/panel", {
    onText: (text) => texts.push(text),
    onConnection: (state) => states.push(state),
  });
  socket.open();
});

afterEach(() => {
  socket.close();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("a lasting socket", () => {
  it("is live when something has come", () => {
    FakeSocket.last.push(1);

    expect(FakeSocket.made).toHaveLength(1);
    expect(states).toEqual(["connecting", "live"]);
    expect(texts).toEqual(["1"]);
  });

  it("comes back after it was closed", () => {
    FakeSocket.last.push(1);
    FakeSocket.last.lose();
    expect(states.at(-1)).toBe("lost");
    vi.advanceTimersByTime(500);
    FakeSocket.last.push(2);

    expect(FakeSocket.made).toHaveLength(2);
    expect(states.at(-1)).toBe("live");
    expect(texts).toEqual(["1", "2"]);
  });

  it("waits longer every time, and no longer than a quarter of a minute", () => {
    for (const wait of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
      const before = FakeSocket.made.length;
      FakeSocket.last.lose();
      vi.advanceTimersByTime(wait - 1);
      expect(FakeSocket.made).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(FakeSocket.made).toHaveLength(before + 1);
    }
  });

  it("does not wait when the network is back", () => {
    for (let number = 0; number < 6; number++) {
      FakeSocket.last.lose();
      vi.advanceTimersByTime(15_000);
    }
    FakeSocket.last.lose();
    window.dispatchEvent(new Event("online"));
    vi.advanceTimersByTime(0);

    expect(FakeSocket.made).toHaveLength(8);
  });

  it("gives up on a connection that has gone silent", () => {
    const silent = FakeSocket.last;
    silent.push(1);
    vi.advanceTimersByTime(49_999);
    expect(silent.closed).toBe(false);
    vi.advanceTimersByTime(501);

    expect(silent.closed).toBe(true);
    expect(FakeSocket.made).toHaveLength(2);
  });

  it("stays closed once it is closed", () => {
    FakeSocket.last.lose();
    socket.close();
    vi.advanceTimersByTime(60_000);

    expect(FakeSocket.made).toHaveLength(1);
  });
});
