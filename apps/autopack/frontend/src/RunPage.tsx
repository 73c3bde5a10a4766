import { useCallback } from "react";
import { useParams } from "react-router";
import { endRun, getRun } from "./api";
import { MemoryList } from "./MemoryList";
import { Result } from "./Result";
import { useAction } from "./useAction";
import { useLoaded } from "./useLoaded";

/** One run: its goal, what is known about that, and how it ended. */
export function RunPage() {
  const id = useParams().id!;
  const load = useCallback(() => getRun(id), [id]);
  const [run, reload] = useLoaded(load);

  return (
    <main>
      <Result loaded={run} retry={reload}>
        {(found) => (
          <>
            <h1>{found.goal}</h1>
            <p>
              <span className={`status ${found.status}`}>{found.status}</span>
            </p>
            {found.status === "running" && <EndForm id={id} onEnded={reload} />}
            <section aria-labelledby="known">
              <h2 id="known">What is known about it</h2>
              <MemoryList memories={found.recalled} none="Nothing known is similar." />
            </section>
          </>
        )}
      </Result>
    </main>
  );
}

function EndForm({ id, onEnded }: { id: string; onEnded: () => void }) {
  const [busy, problem, run] = useAction();

  const end = (fields: FormData) => {
    const status = fields.get("status") === "failed" ? "failed" : "succeeded";
    void run(() => endRun(id, status, String(fields.get("learned")).trim()).then(onEnded));
  };

  return (
    <form
      className="add"
      onSubmit={(event) => {
        event.preventDefault();
        end(new FormData(event.currentTarget, (event.nativeEvent as SubmitEvent).submitter));
      }}
    >
      <label>
        Learned
        <textarea name="learned" rows={2} maxLength={2000} />
      </label>
      <div className="row">
        <button className="primary" name="status" value="succeeded" disabled={busy}>
          Succeeded
        </button>
        <button name="status" value="failed" disabled={busy}>
          Failed
        </button>
      </div>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}
