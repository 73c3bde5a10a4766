import { type FormEvent, useCallback } from "react";
import { useSearchParams } from "react-router";
import { forget, newestMemories, searchMemories } from "./api";
import { MemoryForm } from "./MemoryForm";
import { MemoryList } from "./MemoryList";
import { Result } from "./Result";
import { useLoaded } from "./useLoaded";

/** What is known: the newest of it, or what is most similar to the question in the address. */
export function MemoryPanel() {
  const [params, setParams] = useSearchParams();
  const about = params.get("q") ?? "";
  const load = useCallback(() => (about ? searchMemories(about) : newestMemories()), [about]);
  const [memories, reload] = useLoaded(load);

  const ask = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const question = String(new FormData(event.currentTarget).get("q")).trim();
    setParams(question ? { q: question } : {});
  };

  return (
    <section aria-labelledby="memory">
      <h2 id="memory">Memory</h2>
      <form role="search" className="row" onSubmit={ask} key={about}>
        <input type="search" name="q" aria-label="Search by meaning" placeholder="What is it about?" defaultValue={about} />
        <button>Search</button>
      </form>
      <Result loaded={memories} retry={reload}>
        {(found) => (
          <MemoryList
            memories={found}
            none={about ? "Nothing known is similar." : "Nothing is known yet."}
            onForget={(id) => forget(id).then(reload)}
          />
        )}
      </Result>
      <MemoryForm onAdded={reload} />
    </section>
  );
}
