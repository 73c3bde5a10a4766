import assert from "node:assert/strict";
import { test } from "node:test";

import { AMOUNT_MOST_CENTS, TITLE_MOST, parseNewPurchaseRequest } from "../src/index";

const GOOD = { title: "Chairs", department: "Office", amountCents: 12_050 };

test("a complete request is taken, its texts trimmed and nothing else kept", () => {
  const parsed = parseNewPurchaseRequest({ ...GOOD, title: "  Chairs ", status: "approved" });
  assert.deepEqual(parsed, { ok: true, value: GOOD });
});

for (const [what, change, field] of [
  ["no title", { title: " " }, "title"],
  ["a long title", { title: "x".repeat(TITLE_MOST + 1) }, "title"],
  ["a title with a zero byte", { title: "a\0b" }, "title"],
  ["a department that is no text", { department: 7 }, "department"],
  ["an amount as text", { amountCents: "12" }, "amountCents"],
  ["half a cent", { amountCents: 1.5 }, "amountCents"],
  ["nothing to pay", { amountCents: 0 }, "amountCents"],
  ["too much", { amountCents: AMOUNT_MOST_CENTS + 1 }, "amountCents"],
] as const) {
  test(`${what} is refused, and only that field is named`, () => {
    const parsed = parseNewPurchaseRequest({ ...GOOD, ...change });
    assert.ok(!parsed.ok);
    assert.deepEqual(Object.keys(parsed.errors), [field]);
  });
}

for (const input of [undefined, null, "text", 7, []]) {
  test(`${JSON.stringify(input)} has every error there is`, () => {
    const parsed = parseNewPurchaseRequest(input);
    assert.ok(!parsed.ok);
    assert.equal(Object.keys(parsed.errors).length, 3);
  });
}
