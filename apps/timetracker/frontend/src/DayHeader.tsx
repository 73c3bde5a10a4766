import { Link, useNavigate } from "react-router";
import { duration, isDay, shift, title, today } from "./days";

interface Props {
  date: string;
  /** Seconds, or null while they are not known. */
  total: number | null;
}

export function DayHeader({ date, total }: Props) {
  const navigate = useNavigate();
  const { weekday, date: written } = title(date);
  const isToday = date === today();

  return (
    <header>
      <nav aria-label="Days">
        <Link to="/" className="brand">
          <img src="/icon.svg" alt="" width="24" height="24" /> TimeTracker
        </Link>
        <Link className="button" to={`/day/${shift(date, -1)}`} aria-label="Previous day" rel="prev">
          ←
        </Link>
        <input
          type="date"
          aria-label="Go to day"
          value={date}
          onChange={({ target }) => isDay(target.value) && navigate(`/day/${target.value}`)}
        />
        <Link className="button" to={`/day/${shift(date, 1)}`} aria-label="Next day" rel="next">
          →
        </Link>
        <Link className="button" to={`/day/${today()}`} aria-current={isToday ? "date" : undefined}>
          Today
        </Link>
      </nav>
      <div className="headline">
        <h1>
          {weekday} <span>{written}</span>
        </h1>
        <p className="total" aria-live="polite">
          <span>Total</span> {total === null ? "–" : duration(total)}
        </p>
      </div>
    </header>
  );
}
