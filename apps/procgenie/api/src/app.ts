/** The application, put together. */

import "reflect-metadata";
import { type DynamicModule, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import { TypeOrmModule } from "@nestjs/typeorm";

import { config } from "./config";
import { dataSourceOptions } from "./data-source";
import { HealthController } from "./health/health.controller";
import { IntakeController } from "./intake/intake.controller";
import { IntakeQueue, QUEUE_PREFIX } from "./intake/intake.queue";
import { IntakeService } from "./intake/intake.service";
import { PurchaseRequestEntity } from "./intake/purchase-request.entity";
import { JsonLogger } from "./log";
import { requestLog } from "./request-log";
import { VersionController } from "./version.controller";

/** What an application works on, when it is not what the environment says: tests have their own. */
export interface Own {
  database?: string;
  queuePrefix?: string;
  logger?: JsonLogger;
}

@Module({})
class AppModule {
  static for({ database = config.database.name, queuePrefix = "procgenie" }: Own, logger: JsonLogger): DynamicModule {
    return {
      module: AppModule,
      imports: [
        TypeOrmModule.forRoot({ ...dataSourceOptions(config, database), retryAttempts: 5 }),
        TypeOrmModule.forFeature([PurchaseRequestEntity]),
      ],
      controllers: [IntakeController, HealthController, VersionController],
      providers: [
        IntakeService,
        IntakeQueue,
        { provide: QUEUE_PREFIX, useValue: queuePrefix },
        { provide: JsonLogger, useValue: logger },
      ],
    };
  }
}

/** An application that does not listen yet. Stop signals end it in good order. */
export async function createApp(own: Own = {}): Promise<NestExpressApplication> {
  const logger = own.logger ?? new JsonLogger(config.logLevel);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.for(own, logger), { logger });
  app.use(requestLog(logger));
  app.disable("x-powered-by");
  app.useBodyParser("json", { limit: "64kb" });
  app.setGlobalPrefix("api/v1");
  app.enableShutdownHooks();
  return app;
}
