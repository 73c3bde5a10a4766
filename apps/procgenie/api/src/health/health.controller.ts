/** Whether this process can do its work, in the shape that @nestjs/terminus made usual. */

import { Controller, Get, Inject, Res } from "@nestjs/common";
import type { Response } from "express";
import type { DataSource } from "typeorm";
import { InjectDataSource } from "@nestjs/typeorm";

import { IntakeQueue } from "../intake/intake.queue";

type State = { status: "up" | "down"; [detail: string]: string };

export interface Health {
  status: "ok" | "error";
  /** What is up, with details. */
  info: Record<string, State>;
  /** What is down; not there when nothing is. */
  error?: Record<string, State>;
  /** All of it, without details. */
  details: Record<string, State>;
}

const MOST_RSS_MB = 400;
const TIMEOUT_MS = 2_000;

@Controller("health")
export class HealthController {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(IntakeQueue) private readonly queue: IntakeQueue,
  ) {}

  /** 200 when all is up, 503 otherwise. */
  @Get()
  async health(@Res({ passthrough: true }) response: Response): Promise<Health> {
    const [database, redis] = await Promise.all([this.databaseAnswers(), this.queue.answers()]);
    const health = healthOf(database, redis, Math.round(process.memoryUsage.rss() / 1_048_576));
    response.status(health.status === "ok" ? 200 : 503);
    return health;
  }

  private async databaseAnswers(): Promise<boolean> {
    const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), TIMEOUT_MS).unref());
    const answer = this.dataSource.query("SELECT 1").then(
      () => true,
      () => false,
    );
    return Promise.race([answer, late]);
  }
}

/** The answer for what was found. Memory is down when the process has grown to most of its container's limit. */
export function healthOf(database: boolean, redis: boolean, rssMb: number): Health {
  const states: Record<string, State> = {
    database: { status: database ? "up" : "down" },
    redis: { status: redis ? "up" : "down" },
    memory: { status: rssMb <= MOST_RSS_MB ? "up" : "down", rss: `${rssMb} MB` },
  };
  const of = (status: State["status"]): Record<string, State> =>
    Object.fromEntries(Object.entries(states).filter(([, state]) => state.status === status));
  const down = of("down");
  const bad = Object.keys(down).length > 0;
  return {
    status: bad ? "error" : "ok",
    info: of("up"),
    ...(bad ? { error: down } : {}),
    details: Object.fromEntries(Object.entries(states).map(([name, { status }]) => [name, { status }])),
  };
}
