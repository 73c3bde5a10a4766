/** Gives every request an id, and logs what became of it. */

import { randomUUID } from "node:crypto";

import type { NextFunction, Request, RequestHandler, Response } from "express";

import { type JsonLogger, type Scope, scope } from "./log";

/** An id that a proxy may have given: nothing that would tear a log line. */
const GOOD_ID = /^[\w.-]{1,64}$/;
const HEALTH = /^\/api\/v1\/health\b/;

/** Express middleware. The id of the proxy in front is taken over, and told to the client. */
export function requestLog(logger: JsonLogger): RequestHandler {
  return (request: Request, response: Response, next: NextFunction) => {
    const began = performance.now();
    const about: Scope = { requestId: header(request, "x-request-id") ?? `req_${randomUUID()}` };
    const tenantId = header(request, "x-tenant-id");
    const userId = header(request, "x-user-id");
    if (tenantId) about.tenantId = tenantId;
    if (userId) about.userId = userId;
    response.setHeader("X-Request-Id", about.requestId);
    response.on("finish", () => {
      // passed health checks would push everything else out of the log
      if (HEALTH.test(request.originalUrl) && response.statusCode === 200) return;
      const duration = Math.round(performance.now() - began);
      const { method, originalUrl: path } = request;
      scope.run(about, () =>
        logger.line("info", "Http", "Request completed", { method, path, status: response.statusCode, duration }),
      );
    });
    scope.run(about, next);
  };
}

function header(request: Request, name: string): string | undefined {
  const value = request.header(name);
  return value && GOOD_ID.test(value) ? value : undefined;
}
