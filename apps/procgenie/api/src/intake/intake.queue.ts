/**
 * The queue of requests to be decided, in Redis, and the worker that takes them from it: one in every API process.
 *
 * The database is the truth and the queue a way to be quick: what the queue has lost, or never got because Redis did not
 * answer, is found in the database by a sweep and queued again.
 */

import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from "@nestjs/common";
import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

import { config } from "../config";
import { JsonLogger, type Scope, scope } from "../log";
import { IntakeService } from "./intake.service";

export const QUEUE_PREFIX = Symbol("the first part of the queue's keys in Redis");

const NAME = "intake";
const CONCURRENCY = 4;
const SWEEP_EVERY_MS = 15_000;
/** Younger ones are taken to be in the queue. */
const OVERDUE_MS = 10_000;
const PING_TIMEOUT_MS = 2_000;

interface Task {
  id: string;
  scope?: Scope | undefined;
}

@Injectable()
export class IntakeQueue implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly redis: Redis;
  private readonly queue: Queue<Task>;
  private worker?: Worker<Task>;
  private sweeper?: NodeJS.Timeout;

  constructor(
    @Inject(IntakeService) private readonly intake: IntakeService,
    @Inject(JsonLogger) private readonly logger: JsonLogger,
    @Inject(QUEUE_PREFIX) private readonly prefix: string,
  ) {
    // a caller is told at once that Redis does not answer, instead of waiting until it does
    this.redis = new Redis({ ...config.redis, enableOfflineQueue: false });
    this.redis.on("error", (error) => this.complain("Redis does not answer", error));
    this.queue = new Queue(NAME, {
      prefix,
      connection: this.redis,
      // done or given up, its id is free: the sweep may queue it again
      defaultJobOptions: { attempts: 3, backoff: { type: "exponential", delay: 500 }, removeOnComplete: true, removeOnFail: true },
    });
    this.queue.on("error", (error) => this.complain("The queue does not answer", error));
  }

  onApplicationBootstrap(): void {
    this.worker = new Worker<Task>(NAME, (job) => this.decide(job), {
      prefix: this.prefix,
      concurrency: CONCURRENCY,
      connection: { ...config.redis, maxRetriesPerRequest: null },
    });
    this.worker.on("error", (error) => this.complain("The worker cannot reach the queue", error));
    this.worker.on("failed", (job, error) => this.complain(`Deciding ${job?.data.id} failed`, error));
    this.sweeper = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
  }

  /** Queues a request that is in the database. Redis may be down: the sweep will find it. */
  async add(id: string): Promise<void> {
    try {
      await this.queue.add("decide", { id, scope: scope.getStore() }, { jobId: id });
    } catch (error) {
      this.complain(`Request ${id} is not queued yet`, error);
    }
  }

  /** Queues what waits for too long; what is in the queue already stays there once. */
  async sweep(overdueMs = OVERDUE_MS): Promise<void> {
    try {
      const ids = await this.intake.waitingSince(new Date(Date.now() - overdueMs));
      await this.queue.addBulk(ids.map((id) => ({ name: "decide", data: { id }, opts: { jobId: id } })));
      if (ids.length > 0) this.logger.line("info", "IntakeQueue", "Queued what was waiting", { count: ids.length });
    } catch (error) {
      this.complain("The sweep failed", error);
    }
  }

  /** Whether Redis answers, within two seconds. */
  async answers(): Promise<boolean> {
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("late")), PING_TIMEOUT_MS).unref());
    try {
      await Promise.race([this.redis.ping(), late]);
      return true;
    } catch {
      return false;
    }
  }

  /** Before the server and the database are closed: jobs that were begun are finished, no new ones are taken. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.sweeper);
    await this.worker?.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.queue.close();
    this.redis.disconnect();
  }

  private async decide(job: Job<Task>): Promise<void> {
    const work = async (): Promise<void> => {
      const began = performance.now();
      await this.intake.decide(job.data.id);
      const duration = Math.round(performance.now() - began);
      this.logger.line("info", "IntakeQueue", "Request decided", { id: job.data.id, duration });
    };
    await (job.data.scope ? scope.run(job.data.scope, work) : work());
  }

  private complain(what: string, error: unknown): void {
    this.logger.line("warn", "IntakeQueue", what, { error: error instanceof Error ? error.message : String(error) });
  }
}
