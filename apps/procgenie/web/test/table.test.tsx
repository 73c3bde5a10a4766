import assert from "node:assert/strict";
import { test } from "node:test";

import { renderToStaticMarkup } from "react-dom/server";

import { RequestTable } from "../app/RequestTable";

const REQUEST = {
  id: "1",
  title: "<b>Crane</b>",
  department: "Yard",
  amountCents: 1_250_000,
  status: "in_review",
  createdAt: "2026-03-15T09:00:00.000Z",
  decidedAt: null,
} as const;

test("a request is a row, and its text is text", () => {
  const html = renderToStaticMarkup(<RequestTable requests={[REQUEST]} total={41} />);

  assert.match(html, /1 newest of 41/);
  assert.match(html, /&lt;b&gt;Crane&lt;\/b&gt;/);
  assert.match(html, /12,500\.00/);
  assert.match(html, /<span class="status in_review">in review<\/span>/);
});

test("an empty list says so", () => {
  assert.match(renderToStaticMarkup(<RequestTable requests={[]} total={0} />), /Nobody has asked/);
});
