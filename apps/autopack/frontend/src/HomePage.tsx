import { MemoryPanel } from "./MemoryPanel";
import { RunPanel } from "./RunPanel";

export function HomePage() {
  return (
    <main>
      <MemoryPanel />
      <RunPanel />
    </main>
  );
}
