import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { fetchVersion } from "../lib/api";

test("a read is asked again when the API closes a connection that was kept", async () => {
  const seen = new WeakSet();
  let closed = 0;
  const server = createServer((request, answer) => {
    if (seen.has(request.socket)) {
      closed += 1;
      request.socket.destroy();
      return;
    }
    seen.add(request.socket);
    answer.setHeader("Content-Type", "application/json");
    answer.end('{"version":"1.0.0"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  process.env["API_URL"] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    for (let number = 0; number < 3; number += 1) assert.equal((await fetchVersion()).version, "1.0.0");
    assert.ok(closed > 0);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
