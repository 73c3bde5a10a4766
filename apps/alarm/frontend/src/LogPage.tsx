import { useEffect, useState } from "react";
import { listEvents, type PanelEvent } from "./api";
import { Events } from "./Events";

/** What happened; asked for again when the panel has pushed something newer than `newest` was. */
export function LogPage({ newest }: { newest: number }) {
  const [events, setEvents] = useState<readonly PanelEvent[]>();
  const [problem, setProblem] = useState("");

  useEffect(() => {
    let wanted = true;
    listEvents().then(
      (found) => {
        if (!wanted) return;
        setEvents(found);
        setProblem("");
      },
      (error: Error) => wanted && setProblem(error.message),
    );
    return () => {
      wanted = false;
    };
  }, [newest]);

  return (
    <section className="card">
      <h1>Log</h1>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {events && <Events events={events} />}
    </section>
  );
}
