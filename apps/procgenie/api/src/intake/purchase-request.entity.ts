import type { PurchaseRequest, Status } from "@procgenie/shared-types";
import { Column, Entity, Index, PrimaryColumn } from "typeorm";

@Entity({ name: "purchase_request" })
@Index("purchase_request_newest", { synchronize: false })
@Index("purchase_request_submitted", { synchronize: false })
export class PurchaseRequestEntity {
  @PrimaryColumn({ type: "uuid" })
  id!: string;

  @Column({ name: "tenant_id", type: "varchar", length: 64 })
  tenantId!: string;

  @Column({ type: "varchar", length: 120 })
  title!: string;

  @Column({ type: "varchar", length: 60 })
  department!: string;

  @Column({ name: "amount_cents", type: "integer" })
  amountCents!: number;

  @Column({ type: "varchar", length: 16 })
  status!: Status;

  @Column({ name: "created_at", type: "timestamptz" })
  createdAt!: Date;

  @Column({ name: "decided_at", type: "timestamptz", nullable: true })
  decidedAt!: Date | null;
}

/** As the API returns it. */
export function asJson(entity: PurchaseRequestEntity): PurchaseRequest {
  const { id, title, department, amountCents, status } = entity;
  return {
    id,
    title,
    department,
    amountCents,
    status,
    createdAt: entity.createdAt.toISOString(),
    decidedAt: entity.decidedAt?.toISOString() ?? null,
  };
}
