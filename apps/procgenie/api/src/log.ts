/** Logs as one JSON object a line, each with what is known of the request it belongs to. */

import { AsyncLocalStorage } from "node:async_hooks";

import type { LoggerService } from "@nestjs/common";

import type { Level } from "./config";

/** What every line says that is written while a request, or a job that came of one, is worked on. */
export interface Scope {
  requestId: string;
  tenantId?: string;
  userId?: string;
}

export const scope = new AsyncLocalStorage<Scope>();

const RANK: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export class JsonLogger implements LoggerService {
  constructor(
    private readonly lowest: Level,
    private readonly write: (line: string) => void = (line) => void process.stdout.write(line),
  ) {}

  /** One line. `fields` stand beside the message, for example a duration in milliseconds. */
  line(level: Level, context: string, message: string, fields: object = {}): void {
    if (RANK[level] < RANK[this.lowest]) return;
    const timestamp = new Date().toISOString();
    this.write(`${JSON.stringify({ level, timestamp, context, message, ...scope.getStore(), ...fields })}\n`);
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.nest("info", message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.nest("error", message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.nest("warn", message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.nest("debug", message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.nest("debug", message, rest);
  }

  /** Nest gives the context last, and for an error the stack before it. */
  private nest(level: Level, message: unknown, rest: unknown[]): void {
    const context = String(rest.at(-1) ?? "");
    const stack = message instanceof Error ? message.stack : rest.length > 1 ? String(rest[0]) : undefined;
    const text = message instanceof Error ? message.message : String(message);
    this.line(level, context, text, stack ? { stack } : {});
  }
}
