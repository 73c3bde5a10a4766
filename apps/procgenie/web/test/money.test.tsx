import assert from "node:assert/strict";
import { test } from "node:test";

import { formatCents, parseCents } from "../lib/money";

for (const [text, cents] of [
  ["499", 49_900],
  [" 1,205.5 ", 120_550],
  ["0.07", 7],
] as const) {
  test(`${text} is ${cents} cents`, () => assert.equal(parseCents(text), cents));
}

for (const text of ["", "a lot", "1.234", "-3", "1e3", "."]) {
  test(`'${text}' is no amount`, () => assert.ok(Number.isNaN(parseCents(text))));
}

test("cents are shown with two decimals", () => {
  assert.equal(formatCents(120_550), "1,205.50");
  assert.equal(formatCents(7), "0.07");
});
