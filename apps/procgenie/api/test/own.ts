/** What a test works on: a database and queue keys that nobody else has. */

import { randomBytes } from "node:crypto";
import { after, before } from "node:test";

import type { NestExpressApplication } from "@nestjs/platform-express";
import { Redis } from "ioredis";
import { DataSource } from "typeorm";

import { createApp } from "../src/app";
import { config } from "../src/config";
import { dataSourceOptions } from "../src/data-source";
import { JsonLogger } from "../src/log";

export interface Running {
  name: string;
  app: NestExpressApplication;
  /** http://127.0.0.1:PORT/api/v1 */
  url: string;
  /** Every log line so far. */
  lines: Record<string, unknown>[];
  redis: Redis;
  sql(statement: string): Promise<Record<string, unknown>[]>;
}

/** Runs the application for the tests of a file, and leaves nothing behind. */
export function runningApp(): Running {
  const name = `procgenie_test_${randomBytes(4).toString("hex")}`;
  const running = { name, lines: [] } as unknown as Running;
  const admin = new DataSource({ ...dataSourceOptions(config), migrations: [], entities: [] });
  before(async () => {
    await admin.initialize();
    await admin.query(`CREATE DATABASE ${name}`);
    const own = await new DataSource(dataSourceOptions(config, name)).initialize();
    await own.runMigrations();
    await own.destroy();
    running.redis = new Redis({ ...config.redis });
    const logger = new JsonLogger("debug", (line) => void running.lines.push(JSON.parse(line)));
    running.app = await createApp({ database: name, queuePrefix: name, logger });
    await running.app.listen(0, "127.0.0.1");
    running.url = `${await running.app.getUrl()}/api/v1`;
    running.sql = (statement) => running.app.get(DataSource).query(statement);
  });
  after(async () => {
    await running.app?.close();
    const keys = await running.redis.keys(`${name}:*`);
    if (keys.length > 0) await running.redis.del(...keys);
    running.redis.disconnect();
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await admin.destroy();
  });
  return running;
}

/** The first answer that is neither false nor empty, within five seconds. */
export async function eventually<T>(what: () => Promise<T>): Promise<T> {
  const until = Date.now() + 5_000;
  for (;;) {
    const found = await what();
    if (found) return found;
    if (Date.now() > until) throw new Error("it did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
