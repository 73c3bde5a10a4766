import type { ReactNode } from "react";
import type { Loaded } from "./useLoaded";

interface Props<T> {
  loaded: Loaded<T>;
  retry: () => void;
  children: (value: T) => ReactNode;
}

/** What was loaded, or that it is on its way, or why it is not. */
export function Result<T>({ loaded, retry, children }: Props<T>) {
  if (loaded.state === "loading") return <p className="quiet">Loading…</p>;
  if (loaded.state === "ready") return children(loaded.value);
  return (
    <p role="alert">
      {loaded.message} <button onClick={retry}>Try again</button>
    </p>
  );
}
