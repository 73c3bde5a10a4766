import { Body, Controller, Get, Inject, Post, UnprocessableEntityException } from "@nestjs/common";
import { type Page, type PurchaseRequest, parseNewPurchaseRequest } from "@procgenie/shared-types";

import { JsonLogger, scope } from "../log";
import { IntakeQueue } from "./intake.queue";
import { IntakeService } from "./intake.service";

const NO_TENANT = "public";

@Controller("requests")
export class IntakeController {
  constructor(
    @Inject(IntakeService) private readonly intake: IntakeService,
    @Inject(IntakeQueue) private readonly queue: IntakeQueue,
    @Inject(JsonLogger) private readonly logger: JsonLogger,
  ) {}

  @Get()
  list(): Promise<Page> {
    return this.intake.newest(tenant());
  }

  /** Answers as soon as the request is in the database; a worker decides. */
  @Post()
  async create(@Body() body: unknown): Promise<PurchaseRequest> {
    const parsed = parseNewPurchaseRequest(body);
    if (!parsed.ok) throw new UnprocessableEntityException({ errors: parsed.errors });
    const request = await this.intake.create(tenant(), parsed.value);
    await this.queue.add(request.id);
    this.logger.line("info", "IntakeController", "Request created", { id: request.id });
    return request;
  }
}

/** Whose requests are meant: what a gateway in front has put into X-Tenant-Id. Nothing here checks who asks. */
function tenant(): string {
  return scope.getStore()?.tenantId ?? NO_TENANT;
}
