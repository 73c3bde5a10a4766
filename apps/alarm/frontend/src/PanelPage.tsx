import { useState } from "react";
import { type Command, command, type Panel, ring } from "./api";
import { Countdown } from "./Countdown";
import { Events } from "./Events";
import type { Live } from "./usePanel";

const TITLES = {
  disarmed: "Disarmed",
  arming: "Arming",
  armed: "Armed",
  pending: "Type the code",
  triggered: "Alarm",
};

export function PanelPage({ live: { panel } }: { live: Live }) {
  if (!panel) return <p className="card quiet">Waiting for the panel…</p>;

  return (
    <>
      <header className="card state" data-state={panel.state}>
        <h1>{TITLES[panel.state]}</h1>
        <p aria-live="polite">
          {panel.mode && <span>{panel.mode}</span>} {panel.deadline && <Countdown to={panel.deadline} />}
        </p>
      </header>
      <Keypad panel={panel} />
      <section className="card">
        <h2>Sensors</h2>
        <ul className="sensors">
          {panel.sensors.map(({ key, name, kind, active }) => (
            <li key={key} data-sensor={key} data-active={active}>
              <strong>{name}</strong> <span className="quiet">{kind}</span> <span>{active ? "active" : "quiet"}</span>
            </li>
          ))}
        </ul>
      </section>
      <section className="card">
        <h2>Lately</h2>
        <Events events={panel.events} />
      </section>
    </>
  );
}

function Keypad({ panel }: { panel: Panel }) {
  const [code, setCode] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const armed = panel.state !== "disarmed";

  async function send(action: () => Promise<unknown>) {
    setBusy(true);
    setProblem("");
    try {
      // Nothing is shown of the answer: what it changed is pushed, here and to everybody else.
      await action();
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setCode("");
      setBusy(false);
    }
  }

  const button = (name: Command, label: string) => (
    <button type="button" disabled={busy} className="primary" onClick={() => send(() => command(name, code))}>
      {label}
    </button>
  );

  return (
    <form className="card" onSubmit={(event) => event.preventDefault()}>
      <label>
        Code
        <input type="password" value={code} autoComplete="off" onChange={({ target }) => setCode(target.value)} />
      </label>
      {armed ? (
        button("disarm", "Disarm")
      ) : (
        <>
          {button("arm_home", "Arm at home")}
          {button("arm_away", "Arm away")}
        </>
      )}
      <button type="button" disabled={busy} onClick={() => send(() => ring("At the panel"))}>
        Ring
      </button>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
