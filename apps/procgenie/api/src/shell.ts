/** A JavaScript prompt with the application's parts at hand. It takes no jobs from the queue. */

import { start } from "node:repl";

import dataSource from "./data-source";
import { PurchaseRequestEntity } from "./intake/purchase-request.entity";

await dataSource.initialize();
const requests = dataSource.getRepository(PurchaseRequestEntity);
console.log("dataSource, requests (a TypeORM repository); for example: await requests.count()");
const repl = start("procgenie> ");
Object.assign(repl.context, { dataSource, requests });
repl.on("exit", () => void dataSource.destroy());
