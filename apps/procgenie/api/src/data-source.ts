/** The database. The schema is made by migrations alone, in development too. */

import { fileURLToPath } from "node:url";

import "reflect-metadata";
import { DataSource, type DataSourceOptions } from "typeorm";

import { type Config, config } from "./config";
import { PurchaseRequestEntity } from "./intake/purchase-request.entity";

/** `database` replaces the configured name, for tests that work on one of their own. */
export function dataSourceOptions({ database }: Config, name = database.name): DataSourceOptions {
  return {
    type: "postgres",
    host: database.host,
    port: database.port,
    username: database.user,
    password: database.password,
    database: name,
    entities: [PurchaseRequestEntity],
    // beside this file, both as source and compiled
    migrations: [fileURLToPath(new URL("migrations/*.{ts,js}", import.meta.url))],
    migrationsTransactionMode: "each",
    synchronize: false,
    // an error is logged by whoever catches it
    logging: database.logging ? ["query", "error"] : false,
    poolSize: 10,
  };
}

export default new DataSource(dataSourceOptions(config));
