import { useCallback, useEffect, useState } from "react";

export type Loaded<T> =
  | { state: "loading" }
  | { state: "failed"; message: string }
  | { state: "ready"; value: T };

/**
 * What `load` gives, asked for again when `load` changes, and a way to ask again that leaves the old answer in place
 * meanwhile. `load` must be the same function as long as it asks for the same thing.
 */
export function useLoaded<T>(load: () => Promise<T>): [Loaded<T>, () => void] {
  const [loaded, setLoaded] = useState<{ by: typeof load; result: Loaded<T> }>();
  const [round, setRound] = useState(0);

  useEffect(() => {
    let wanted = true;
    const show = (result: Loaded<T>) => {
      if (wanted) setLoaded({ by: load, result });
    };
    load().then(
      (value) => show({ state: "ready", value }),
      (error: Error) => show({ state: "failed", message: error.message }),
    );
    return () => {
      wanted = false;
    };
  }, [load, round]);

  const reload = useCallback(() => setRound((number) => number + 1), []);
  return [loaded?.by === load ? loaded.result : { state: "loading" }, reload];
}
