import { describe, expect, it } from "vitest";
import { clock, duration, endOf, isDay, local, seconds, shift, title, today, total } from "./days";

describe("today", () => {
  it("is Warsaw's day, not the browser's or UTC's", () => {
    expect(today(new Date("2025-03-14T23:30:00Z"))).toBe("2025-03-15");
    expect(today(new Date("2025-07-14T22:30:00Z"))).toBe("2025-07-15");
  });

  it("has a clock that follows the summer time", () => {
    expect(local(new Date("2025-03-30T00:59:00Z"))).toBe("2025-03-30T01:59:00");
    expect(local(new Date("2025-03-30T01:00:00Z"))).toBe("2025-03-30T03:00:00");
  });
});

describe("a day", () => {
  it.each(["2025-03-15", "2024-02-29"])("is %s", (day) => expect(isDay(day)).toBe(true));

  it.each(["2025-02-30", "2025-13-01", "15.03.2025", "yesterday", ""])("is not %j", (text) =>
    expect(isDay(text)).toBe(false));

  it("follows another across months, years and the days when clocks change", () => {
    expect(shift("2025-02-28", 1)).toBe("2025-03-01");
    expect(shift("2025-01-01", -1)).toBe("2024-12-31");
    expect(shift("2025-03-30", 1)).toBe("2025-03-31");
  });

  it("has a title", () => expect(title("2025-03-15")).toEqual({ weekday: "Saturday", date: "15 March 2025" }));
});

describe("times", () => {
  it("are shown as the API wrote them", () => expect(clock("2025-03-15T09:05:00+01:00")).toBe("09:05"));

  it("end on the next day when the end is before the start", () => {
    expect(endOf("2025-03-15", "09:00", "10:30")).toBe("2025-03-15T10:30");
    expect(endOf("2025-12-31", "22:00", "01:00")).toBe("2026-01-01T01:00");
  });
});

describe("durations", () => {
  const morning = { started_at: "2025-03-15T09:00:00+01:00", ended_at: "2025-03-15T10:30:00+01:00" };
  const running = { started_at: "2025-03-15T11:00:00+01:00", ended_at: null };

  it("count real time when the clocks change in between", () => {
    expect(seconds({ started_at: "2025-03-30T01:00:00+01:00", ended_at: "2025-03-30T04:00:00+02:00" })).toBe(2 * 3600);
  });

  it("add up, a running entry counting nothing yet", () => expect(total([morning, running, morning])).toBe(3 * 3600));

  it.each([
    [0, "0 min"],
    [59, "0 min"],
    [45 * 60, "45 min"],
    [3600, "1 h 00 min"],
    [25 * 3600 + 5 * 60, "25 h 05 min"],
  ])("write %d seconds as %s", (length, text) => expect(duration(length)).toBe(text));
});
