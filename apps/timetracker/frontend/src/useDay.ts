import { useCallback, useEffect, useState } from "react";
import { type Entry, listEntries } from "./api";

export type Day =
  | { state: "loading" }
  | { state: "failed"; message: string }
  | { state: "ready"; entries: readonly Entry[] };

/** The entries of a day, and a way to ask for them again that leaves the old ones in place meanwhile. */
export function useDay(date: string): [Day, () => void] {
  const [loaded, setLoaded] = useState<{ date: string; day: Day }>();
  const [round, setRound] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    const show = (day: Day) => {
      if (!abort.signal.aborted) setLoaded({ date, day });
    };
    listEntries(date, abort.signal).then(
      (entries) => show({ state: "ready", entries }),
      (error: Error) => show({ state: "failed", message: error.message }),
    );
    return () => abort.abort();
  }, [date, round]);

  const reload = useCallback(() => setRound((number) => number + 1), []);
  return [loaded?.date === date ? loaded.day : { state: "loading" }, reload];
}
