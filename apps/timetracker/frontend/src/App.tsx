import { Navigate, Route, Routes } from "react-router";
import { DayPage } from "./DayPage";
import { today } from "./days";
import { Footer } from "./Footer";

export function App() {
  return (
    <>
      <Routes>
        <Route path="/" element={<Navigate to={`/day/${today()}`} replace />} />
        <Route path="/day/:date" element={<DayPage />} />
        <Route path="*" element={<Navigate to="/" replace />} />
      </Routes>
      <Footer />
    </>
  );
}
