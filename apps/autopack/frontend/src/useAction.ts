import { useState } from "react";

/** Runs what a button starts, one at a time: whether it is under way, why the last one failed, and the way to run it. */
export function useAction(): [boolean, string, (action: () => Promise<unknown>) => Promise<void>] {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const run = async (action: () => Promise<unknown>) => {
    setBusy(true);
    setProblem("");
    try {
      await action();
    } catch (error) {
      setProblem((error as Error).message);
    }
    setBusy(false);
  };
  return [busy, problem, run];
}
