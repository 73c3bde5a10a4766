import assert from "node:assert/strict";
import { test } from "node:test";

import { DataSource } from "typeorm";

import { pendingMigrations } from "../src/pending";
import { runningApp } from "./own";

const running = runningApp();

test("after all have run nothing is pending, and the entities say what the tables are", async () => {
  const dataSource = running.app.get(DataSource);

  assert.deepEqual(await pendingMigrations(dataSource), []);
  const difference = await dataSource.driver.createSchemaBuilder().log();
  assert.deepEqual(difference.upQueries.map((query) => query.query), []);
});

test("what has not run is named", async () => {
  await running.sql("DELETE FROM migrations");

  assert.deepEqual(await pendingMigrations(running.app.get(DataSource)), ["PurchaseRequests1764028800000"]);
});
