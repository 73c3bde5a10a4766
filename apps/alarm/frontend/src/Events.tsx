import type { PanelEvent } from "./api";

export function Events({ events }: { events: readonly PanelEvent[] }) {
  if (events.length === 0) return <p className="quiet">Nothing yet.</p>;

  return (
    <ol className="events">
      {events.map(({ id, at, kind, detail }) => (
        <li key={id}>
          <time dateTime={at}>{new Date(at).toLocaleString("en-GB")}</time> <strong>{kind}</strong> {detail}
        </li>
      ))}
    </ol>
  );
}
