import assert from "node:assert/strict";
import { test } from "node:test";

import { type Health, healthOf } from "../src/health/health.controller";
import { eventually, runningApp } from "./own";

const running = runningApp();

test("the endpoint says that all is up, in the documented shape", async () => {
  // Redis may not be connected yet when the server listens.
  const health = await eventually(async () => {
    const answer = await fetch(`${running.url}/health`);
    return answer.status === 200 && ((await answer.json()) as Health);
  });
  const rss = health.info["memory"]?.["rss"];
  assert.match(rss ?? "", /^\d+ MB$/);
  assert.deepEqual(health, {
    status: "ok",
    info: { database: { status: "up" }, redis: { status: "up" }, memory: { status: "up", rss } },
    details: { database: { status: "up" }, redis: { status: "up" }, memory: { status: "up" } },
  });
});

test("a passed health check is not logged, another request is", async () => {
  const before = running.lines.length;
  await fetch(`${running.url}/health`);
  await fetch(`${running.url}/version`);

  assert.deepEqual(
    running.lines.slice(before).map((line) => line["path"]),
    ["/api/v1/version"],
  );
});

test("what is down stands under error, and makes the whole an error", () => {
  const health = healthOf(true, false, 100);

  assert.equal(health.status, "error");
  assert.deepEqual(health.error, { redis: { status: "down" } });
  assert.deepEqual(Object.keys(health.info), ["database", "memory"]);
});

test("a process that has grown too large is unhealthy", () => {
  assert.deepEqual(healthOf(true, true, 4_000).error, { memory: { status: "down", rss: "4000 MB" } });
});
