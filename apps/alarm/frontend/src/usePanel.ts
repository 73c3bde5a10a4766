import { useEffect, useState } from "react";
import type { Panel } from "./api";
import { type Connection, LastingSocket } from "./socket";

export interface Live {
  /** The last that was pushed, also while the connection is lost; null before the first. */
  panel: Panel | null;
  connection: Connection;
  /** How many times the connection was made. */
  times: number;
}

/** The panel as the server pushes it. */
export function usePanel(): Live {
  const [live, setLive] = useState<Live>({ panel: null, connection: "connecting", times: 0 });

  useEffect(() => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new LastingSocket(`${scheme}//${location.host}/ws/panel`, {
      onText: (text) => setLive((before) => ({ ...before, panel: JSON.parse(text) as Panel })),
      onConnection: (connection) =>
        setLive((before) => ({
          ...before,
          connection,
          times: before.times + Number(connection === "live" && before.connection !== "live"),
        })),
    });
    socket.open();
    return () => socket.close();
  }, []);

  return live;
}
