import { dirname } from "node:path";

import type { NextConfig } from "next";

const workspace = dirname(process.cwd());

const config: NextConfig = {
  output: "standalone",
  poweredByHeader: false,
  transpilePackages: ["@procgenie/shared-types"],
  turbopack: { root: workspace },
  outputFileTracingRoot: workspace,
  // there are no pictures to be made smaller, and what would do it is larger than the rest
  images: { unoptimized: true },
  outputFileTracingExcludes: { "*": ["**/@img/**", "**/sharp/**"] },
  // the proxy in front compresses
  compress: false,
  // development only: in production the proxy sends /api to the API, and this never sees it
  rewrites: async () =>
    process.env.NODE_ENV === "development"
      ? [{ source: "/api/:path*", destination: `${process.env["API_URL"]}/api/:path*` }]
      : [],
  allowedDevOrigins: ["127.0.0.1"],
};

export default config;
