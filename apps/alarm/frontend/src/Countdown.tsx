import { useEffect, useState } from "react";

/** Seconds until a moment, counted down. */
export function Countdown({ to }: { to: string }) {
  const [now, setNow] = useState(Date.now);

  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);

  return <time dateTime={to}>{secondsUntil(to, now)} s</time>;
}

export function secondsUntil(moment: string, now: number): number {
  return Math.max(0, Math.ceil((Date.parse(moment) - now) / 1000));
}
