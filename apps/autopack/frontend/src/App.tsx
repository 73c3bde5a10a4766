import { Link, Navigate, Route, Routes } from "react-router";
import { Footer } from "./Footer";
import { HomePage } from "./HomePage";
import { RunPage } from "./RunPage";

export function App() {
  return (
    <>
      <header>
        <Link to="/" className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" /> Autopack
        </Link>
      </header>
      <Routes>
        <Route path="/" element={<HomePage />} />
        <Route path="/runs/:id" element={<RunPage />} />
        <Route path="*" element={<Navigate to="/" replace />} />
      </Routes>
      <Footer />
    </>
  );
}
