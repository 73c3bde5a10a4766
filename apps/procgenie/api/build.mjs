// Compiles src to dist. Packages stay outside, in node_modules; the workspace's own are taken in.
// Decorators are compiled without type metadata: what Nest injects and what TypeORM stores is named in the code.
import { readFile, readdir, rm } from "node:fs/promises";

import { build } from "esbuild";

const { dependencies } = JSON.parse(await readFile("package.json", "utf8"));
const migrations = (await readdir("src/migrations")).map((name) => `src/migrations/${name}`);

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/main.ts", "src/migrate.ts", "src/shell.ts", ...migrations],
  outdir: "dist",
  outbase: "src",
  bundle: true,
  external: Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]),
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: true,
});
