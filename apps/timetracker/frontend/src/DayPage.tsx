import { useEffect } from "react";
import { Navigate, useParams } from "react-router";
import { DayHeader } from "./DayHeader";
import { isDay, title, total } from "./days";
import { EntryForm } from "./EntryForm";
import { EntryList } from "./EntryList";
import { useDay } from "./useDay";

export function DayPage() {
  const { date = "" } = useParams();
  return isDay(date) ? <Day date={date} /> : <Navigate to="/" replace />;
}

function Day({ date }: { date: string }) {
  const [day, reload] = useDay(date);
  const entries = day.state === "ready" ? day.entries : [];

  useEffect(() => {
    document.title = `${title(date).date} · TimeTracker`;
  }, [date]);

  return (
    <main>
      <DayHeader date={date} total={day.state === "ready" ? total(entries) : null} />
      <section className="card" aria-labelledby="entries" aria-busy={day.state === "loading"}>
        <h2 id="entries">Entries</h2>
        {day.state === "loading" && <p className="quiet" role="status">Loading…</p>}
        {day.state === "failed" && (
          <p className="problem" role="alert">
            {day.message} <button onClick={reload}>Try again</button>
          </p>
        )}
        {day.state === "ready" && <EntryList entries={entries} onChange={reload} />}
      </section>
      <EntryForm key={date} date={date} startAfter={entries.at(-1)?.ended_at ?? null} onAdded={reload} />
    </main>
  );
}
