import type { FormEvent } from "react";
import { Link, useNavigate } from "react-router";
import { latestRuns, startRun } from "./api";
import { Result } from "./Result";
import { useAction } from "./useAction";
import { useLoaded } from "./useLoaded";

export function RunPanel() {
  const [runs, reload] = useLoaded(latestRuns);
  const [busy, problem, run] = useAction();
  const navigate = useNavigate();

  const start = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const goal = String(new FormData(event.currentTarget).get("goal"));
    void run(async () => {
      const started = await startRun(goal);
      await navigate(`/runs/${started.id}`);
    });
  };

  return (
    <section aria-labelledby="runs">
      <h2 id="runs">Runs</h2>
      <form className="row" onSubmit={start}>
        <input name="goal" aria-label="Goal" placeholder="What is to be done?" maxLength={2000} required />
        <button className="primary" disabled={busy}>
          Start run
        </button>
      </form>
      {problem && <p role="alert">{problem}</p>}
      <Result loaded={runs} retry={reload}>
        {(found) =>
          found.length ? (
            <ul className="runs">
              {found.map((one) => (
                <li key={one.id}>
                  <Link to={`/runs/${one.id}`}>{one.goal}</Link> <span className={`status ${one.status}`}>{one.status}</span>
                </li>
              ))}
            </ul>
          ) : (
            <p className="quiet">No run yet.</p>
          )
        }
      </Result>
    </section>
  );
}
