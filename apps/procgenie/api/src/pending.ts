import type { DataSource } from "typeorm";

const TABLE = "migrations";

/** Names of the migrations that the code has and the database has not, in the order in which they would run. */
export async function pendingMigrations(dataSource: DataSource): Promise<string[]> {
  const [found] = await dataSource.query("SELECT to_regclass($1) IS NOT NULL AS there", [TABLE]);
  const rows: { name: string }[] = found.there ? await dataSource.query(`SELECT name FROM ${TABLE}`) : [];
  const done = new Set(rows.map((row) => row.name));
  return dataSource.migrations
    .map((migration) => migration.name ?? migration.constructor.name)
    .filter((name) => !done.has(name))
    .sort((one, other) => timestamp(one) - timestamp(other));
}

/** TypeORM ends the name of a migration with the time of its making, in milliseconds. */
function timestamp(name: string): number {
  return Number(name.slice(-13));
}
