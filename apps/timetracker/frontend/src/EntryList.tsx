import { useState } from "react";
import { deleteEntry, type Entry, stopEntry } from "./api";
import { clock, duration, local, seconds } from "./days";

interface Props {
  entries: readonly Entry[];
  onChange: () => void;
}

export function EntryList({ entries, onChange }: Props) {
  const [problem, setProblem] = useState("");

  const run = (action: Promise<unknown>) => {
    setProblem("");
    action.then(onChange, (error: Error) => setProblem(error.message));
  };
  const stop = (entry: Entry) => run(stopEntry(entry.id, local(new Date())));
  const remove = (entry: Entry) => {
    if (window.confirm(`Delete “${entry.task_name}” at ${clock(entry.started_at)}?`)) run(deleteEntry(entry.id));
  };

  return (
    <>
      {problem && <p className="problem" role="alert">{problem}</p>}
      {entries.length === 0 && <p className="quiet">Nothing yet. Add the first entry below.</p>}
      <ul className="entries">
        {entries.map((entry) => (
          <li key={entry.id}>
            <Times entry={entry} />
            <div className="what">
              <strong>{entry.task_name}</strong>
              <span className="project" style={{ color: colour(entry.project_name) }}>
                {entry.project_name}
              </span>
              {entry.note && <p>{entry.note}</p>}
              {entry.attachment && <a href={entry.attachment}>Attachment</a>}
            </div>
            <span className="duration">{entry.ended_at ? duration(seconds(entry)) : "running"}</span>
            {entry.ended_at === null && (
              <button aria-label={`Stop ${entry.task_name}`} onClick={() => stop(entry)}>
                Stop
              </button>
            )}
            <button className="plain" aria-label={`Delete ${entry.task_name}`} onClick={() => remove(entry)}>
              ✕
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Times({ entry: { started_at, ended_at } }: { entry: Entry }) {
  const nextDay = ended_at !== null && ended_at.slice(0, 10) !== started_at.slice(0, 10);
  return (
    <span className="times">
      <time dateTime={started_at}>{clock(started_at)}</time> –{" "}
      {ended_at && <time dateTime={ended_at}>{clock(ended_at)}</time>}
      {nextDay && <sup title="the next day">+1</sup>}
    </span>
  );
}

/** A project's colour, the same wherever and whenever it is shown. */
function colour(name: string): string {
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) % 360, 7);
  return `hsl(${hue} 55% var(--project-lightness))`;
}
