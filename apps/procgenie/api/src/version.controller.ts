import { Controller, Get } from "@nestjs/common";
import type { Version } from "@procgenie/shared-types";

import { APP_VERSION } from "./version";

@Controller("version")
export class VersionController {
  @Get()
  version(): Version {
    return { version: APP_VERSION };
  }
}
