import { type FormEvent, useRef } from "react";
import { KINDS, type Kind, remember } from "./api";
import { useAction } from "./useAction";

export function MemoryForm({ onAdded }: { onAdded: () => void }) {
  const [busy, problem, run] = useAction();
  const form = useRef<HTMLFormElement>(null);

  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    void run(async () => {
      await remember(fields.get("kind") as Kind, String(fields.get("text")));
      form.current?.reset();
      onAdded();
    });
  };

  return (
    <form className="add" ref={form} onSubmit={add}>
      <label>
        Remember
        <textarea name="text" rows={2} maxLength={2000} required />
      </label>
      <div className="row">
        <select name="kind" aria-label="Kind">
          {KINDS.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
        <button className="primary" disabled={busy}>
          Add memory
        </button>
      </div>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}
