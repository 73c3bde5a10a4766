import { useEffect, useState } from "react";
import { getVersion } from "./api";

export function Footer() {
  const [version, setVersion] = useState("");

  useEffect(() => {
    // Without an answer there is no version to show; the page above says what is wrong.
    getVersion().then((answer) => setVersion(answer.version), () => undefined);
  }, []);

  return <footer>Autopack {version}</footer>;
}
