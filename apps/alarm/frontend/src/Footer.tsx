import type { Live } from "./usePanel";

const WORDS = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

export function Footer({ live }: { live: Live }) {
  return (
    <footer>
      <span className="connection" role="status" data-connection={live.connection} data-times={live.times}>
        {WORDS[live.connection]}
      </span>
      {live.panel && <> · version {live.panel.version}</>}
    </footer>
  );
}
