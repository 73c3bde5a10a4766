/** Purchase requests in the database: made, listed, decided. */

import { randomUUID } from "node:crypto";

import { Injectable } from "@nestjs/common";
import { InjectRepository } from "@nestjs/typeorm";
import type { NewPurchaseRequest, Page, PurchaseRequest } from "@procgenie/shared-types";
import { LessThan, type Repository } from "typeorm";

import { config } from "../config";
import { PurchaseRequestEntity, asJson } from "./purchase-request.entity";

const PAGE = 20;
const BATCH = 500;

@Injectable()
export class IntakeService {
  constructor(@InjectRepository(PurchaseRequestEntity) private readonly rows: Repository<PurchaseRequestEntity>) {}

  async create(tenantId: string, request: NewPurchaseRequest): Promise<PurchaseRequest> {
    const row = this.rows.create({
      ...request,
      id: randomUUID(),
      tenantId,
      status: "submitted",
      createdAt: new Date(),
      decidedAt: null,
    });
    await this.rows.insert(row);
    return asJson(row);
  }

  async newest(tenantId: string): Promise<Page> {
    const [rows, total] = await this.rows.findAndCount({
      where: { tenantId },
      order: { createdAt: "DESC" },
      take: PAGE,
    });
    return { requests: rows.map(asJson), total };
  }

  /** Decides a request once: to be asked again, by a job that is delivered twice, changes nothing. */
  async decide(id: string): Promise<void> {
    await this.rows
      .createQueryBuilder()
      .update()
      .set({
        status: () => `CASE WHEN amount_cents <= ${config.autoApproveCents} THEN 'approved' ELSE 'in_review' END`,
        decidedAt: () => "now()",
      })
      .where("id = :id AND status = 'submitted'", { id })
      .execute();
  }

  /** Ids of requests that wait for a decision since before a moment, the oldest first. */
  async waitingSince(moment: Date): Promise<string[]> {
    const rows = await this.rows.find({
      select: { id: true },
      where: { status: "submitted", createdAt: LessThan(moment) },
      order: { createdAt: "ASC" },
      take: BATCH,
    });
    return rows.map((row) => row.id);
  }
}
