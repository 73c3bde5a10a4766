import { Link } from "react-router";
import type { FoundMemory, Memory } from "./api";
import { useAction } from "./useAction";

interface Props {
  memories: readonly (Memory | FoundMemory)[];
  none: string;
  onForget?: (id: string) => Promise<unknown>;
}

export function MemoryList({ memories, none, onForget }: Props) {
  const [busy, problem, run] = useAction();
  if (!memories.length) return <p className="quiet">{none}</p>;
  return (
    <>
      <ul className="memories">
        {memories.map((memory) => (
          <li key={memory.id}>
            <p>{memory.text}</p>
            <p className="quiet">
              <span className={`kind ${memory.kind}`}>{memory.kind}</span>
              {"score" in memory && <Similarity score={memory.score} />}
              {memory.run_id && <Link to={`/runs/${memory.run_id}`}>from a run</Link>}
              {onForget && (
                <button disabled={busy} onClick={() => run(() => onForget(memory.id))}>
                  Forget
                </button>
              )}
            </p>
          </li>
        ))}
      </ul>
      {problem && <p role="alert">{problem}</p>}
    </>
  );
}

function Similarity({ score }: { score: number }) {
  const percent = `${Math.round(score * 100)} %`;
  return (
    <>
      <meter min={0} max={1} value={score} aria-label="Similarity" /> {percent}
    </>
  );
}
