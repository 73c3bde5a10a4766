import { fetchPage, fetchVersion } from "../lib/api";
import { IntakeForm } from "./IntakeForm";
import { RequestTable } from "./RequestTable";
import { Refresh } from "./Refresh";

// what it shows is never the same for long
export const dynamic = "force-dynamic";

export default async function Home() {
  const [{ requests, total }, { version }] = await Promise.all([fetchPage(), fetchVersion()]);
  return (
    <main>
      <header>
        <h1>ProcGenie</h1>
        <p>Purchase requests, from intake to decision</p>
      </header>
      <IntakeForm />
      <RequestTable requests={requests} total={total} />
      <Refresh while={requests.some((request) => request.status === "submitted")} />
      <footer>Version {version}</footer>
    </main>
  );
}
