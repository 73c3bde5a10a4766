import assert from "node:assert/strict";
import { test } from "node:test";

import { configFrom } from "../src/config";
import { JsonLogger, scope } from "../src/log";

test("blank variables mean the defaults", () => {
  const config = configFrom({ PORT: "", LOG_LEVEL: "", DB_HOST: "" });

  assert.equal(config.port, 4000);
  assert.equal(config.logLevel, "info");
  assert.equal(config.database.host, "localhost");
});

test("a value that cannot be names its variable", () => {
  assert.throws(() => configFrom({ DB_PORT: "many" }), /DB_PORT is not a whole number: many/);
  assert.throws(() => configFrom({ LOG_LEVEL: "loud" }), /LOG_LEVEL is none of/);
});

test("lines below the level are not written, and an error has its stack", () => {
  const lines: Record<string, unknown>[] = [];
  const logger = new JsonLogger("warn", (line) => void lines.push(JSON.parse(line)));
  logger.log("quiet", "Context");
  scope.run({ requestId: "r1" }, () => logger.error("loud", "at somewhere", "Context"));

  assert.equal(lines.length, 1);
  const { timestamp, ...line } = lines[0]!;
  assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(line, { level: "error", context: "Context", message: "loud", requestId: "r1", stack: "at somewhere" });
});
