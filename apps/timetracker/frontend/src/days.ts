/**
 * Days are `YYYY-MM-DD` and clock times `HH:MM`, always as in Warsaw. The API sends times with Warsaw's offset and
 * reads times without one as Warsaw's, so nothing here needs to know the offset or the browser's own time zone.
 */

const ZONE = "Europe/Warsaw";

/** The part of an entry that durations are made of. */
export interface Span {
  started_at: string;
  ended_at: string | null;
}

export function today(now = new Date()): string {
  return local(now).slice(0, 10);
}

/** Date and time on the wall in Warsaw, `YYYY-MM-DDTHH:MM:SS`: Sweden writes dates as ISO 8601 does. */
export function local(moment: Date): string {
  return moment.toLocaleString("sv-SE", { timeZone: ZONE }).replace(" ", "T");
}

export function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && shift(text, 0) === text;
}

/** The day `count` days later. An impossible day gives a different one, or "" when it is no date at all. */
export function shift(day: string, count: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + count);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 10);
}

/** "Saturday, 15 March 2025" in two parts, for a heading that may break between them. */
export function title(day: string): { weekday: string; date: string } {
  const at = new Date(`${day}T00:00:00Z`);
  const write = (parts: Intl.DateTimeFormatOptions) => at.toLocaleDateString("en-GB", { timeZone: "UTC", ...parts });
  return { weekday: write({ weekday: "long" }), date: write({ day: "numeric", month: "long", year: "numeric" }) };
}

/** `HH:MM` of a time from the API. */
export function clock(time: string): string {
  return time.slice(11, 16);
}

/** Where on the calendar a clock time ends an entry of this day: an end before the start is the next day's. */
export function endOf(day: string, start: string, end: string): string {
  return `${end < start ? shift(day, 1) : day}T${end}`;
}

/** Seconds between two ends, 0 while the second is still open. */
export function seconds({ started_at, ended_at }: Span): number {
  return ended_at === null ? 0 : (Date.parse(ended_at) - Date.parse(started_at)) / 1000;
}

export function total(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + seconds(span), 0);
}

/** "7 h 05 min", "45 min". Seconds are cut off, as on a clock. */
export function duration(length: number): string {
  const minutes = Math.floor(length / 60);
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min` : `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
}
