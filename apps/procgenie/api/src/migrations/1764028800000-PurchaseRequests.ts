import type { MigrationInterface, QueryRunner } from "typeorm";

export class PurchaseRequests1764028800000 implements MigrationInterface {
  // compilers may rename classes; the database knows this one
  name = "PurchaseRequests1764028800000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE purchase_request (
        id uuid PRIMARY KEY,
        tenant_id varchar(64) NOT NULL,
        title varchar(120) NOT NULL,
        department varchar(60) NOT NULL,
        amount_cents integer NOT NULL,
        status varchar(16) NOT NULL,
        created_at timestamptz NOT NULL,
        decided_at timestamptz
      )`);
    await runner.query("CREATE INDEX purchase_request_newest ON purchase_request (tenant_id, created_at DESC)");
    await runner.query("CREATE INDEX purchase_request_submitted ON purchase_request (created_at) WHERE status = 'submitted'");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE purchase_request");
  }
}
