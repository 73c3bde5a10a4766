import assert from "node:assert/strict";
import { test } from "node:test";

import type { Page, PurchaseRequest } from "@procgenie/shared-types";

import { config } from "../src/config";
import { IntakeQueue } from "../src/intake/intake.queue";
import { eventually, runningApp } from "./own";

const running = runningApp();

async function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${running.url}/requests`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function page(tenant: string): Promise<Page> {
  return (await fetch(`${running.url}/requests`, { headers: { "X-Tenant-Id": tenant } })).json() as Promise<Page>;
}

async function decided(tenant: string): Promise<PurchaseRequest> {
  return eventually(async () => (await page(tenant)).requests.find((one) => one.decidedAt)) as Promise<PurchaseRequest>;
}

test("a cheap request is approved by the worker", async () => {
  const answer = await post({ title: "Pens", department: "Office", amountCents: config.autoApproveCents }, { "X-Tenant-Id": "cheap" });

  assert.equal(answer.status, 201);
  assert.equal(((await answer.json()) as PurchaseRequest).status, "submitted");
  assert.equal((await decided("cheap")).status, "approved");
});

test("a dear one goes to a person", async () => {
  await post({ title: "Crane", department: "Yard", amountCents: config.autoApproveCents + 1 }, { "X-Tenant-Id": "dear" });

  assert.equal((await decided("dear")).status, "in_review");
});

test("tenants do not see each other's", async () => {
  await post({ title: "Mine", department: "A", amountCents: 1 }, { "X-Tenant-Id": "one" });

  assert.deepEqual((await page("one")).requests.map((request) => request.title), ["Mine"]);
  assert.deepEqual(await page("other"), { requests: [], total: 0 });
});

test("what is wrong is named by its field, and nothing is stored", async () => {
  const answer = await post({ title: "", department: "A", amountCents: 1 }, { "X-Tenant-Id": "wrong" });

  assert.equal(answer.status, 422);
  assert.deepEqual(Object.keys(((await answer.json()) as { errors: object }).errors), ["title"]);
  assert.equal((await page("wrong")).total, 0);
});

test("what the queue has lost is found in the database", async () => {
  await running.sql(
    "INSERT INTO purchase_request VALUES (gen_random_uuid(), 'lost', 'Lost', 'A', 1, 'submitted', now() - interval '1 minute')",
  );

  await running.app.get(IntakeQueue).sweep();

  assert.equal((await decided("lost")).title, "Lost");
});

test("every line about a request has its id, from the proxy through the queue to the decision", async () => {
  const answer = await post({ title: "Traced", department: "A", amountCents: 1 }, { "X-Request-Id": "from-nginx-1", "X-Tenant-Id": "traced" });

  assert.equal(answer.headers.get("x-request-id"), "from-nginx-1");
  await decided("traced");
  const messages = await eventually(async () => {
    const mine = running.lines.filter((line) => line["requestId"] === "from-nginx-1").map((line) => line["message"]);
    return mine.length === 3 ? mine : undefined;
  });
  assert.deepEqual([...messages!].sort(), ["Request completed", "Request created", "Request decided"]);
});

test("an id that could tear a log line is replaced", async () => {
  const answer = await fetch(`${running.url}/version`, { headers: { "X-Request-Id": 'a" b' } });

  assert.match(answer.headers.get("x-request-id") ?? "", /^req_[0-9a-f-]{36}$/);
});
