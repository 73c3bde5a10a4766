/**
 * Migrations, from the command line:
 *   run      brings the database to this code's schema
 *   check    exits 0 when there is nothing to run, 1 otherwise
 *   pending  prints the name of each migration that `run` would run
 */

import dataSource from "./data-source";
import { pendingMigrations } from "./pending";

const command = process.argv[2];
if (!["run", "check", "pending"].includes(command ?? "")) {
  console.error("usage: migrate run|check|pending");
  process.exit(2);
}
await dataSource.initialize();
try {
  const pending = await pendingMigrations(dataSource);
  if (command === "run") {
    for (const done of await dataSource.runMigrations()) console.log(`ran ${done.name}`);
  } else if (command === "pending") {
    for (const name of pending) console.log(name);
  } else {
    process.exitCode = pending.length > 0 ? 1 : 0;
  }
} finally {
  await dataSource.destroy();
}
