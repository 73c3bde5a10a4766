import { Link, Navigate, Route, Routes } from "react-router";
import { Footer } from "./Footer";
import { LogPage } from "./LogPage";
import { PanelPage } from "./PanelPage";
import { usePanel } from "./usePanel";

export function App() {
  const live = usePanel();

  return (
    <>
      <main>
        <nav aria-label="Pages">
          <Link to="/" className="brand">
            <img src="/icon.svg" alt="" width="24" height="24" /> Alarm panel
          </Link>
          <Link className="button" to="/log">
            Log
          </Link>
        </nav>
        <Routes>
          <Route path="/" element={<PanelPage live={live} />} />
          <Route path="/log" element={<LogPage newest={live.panel?.events[0]?.id ?? 0} />} />
          <Route path="*" element={<Navigate to="/" replace />} />
        </Routes>
      </main>
      <Footer live={live} />
    </>
  );
}
