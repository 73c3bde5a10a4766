import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  // Not in node_modules: the development container runs as the host's user, who need not own that folder.
  cacheDir: "/tmp/vite",
  server: { host: "0.0.0.0", port: 5173, strictPort: true },
  test: { environment: "jsdom" },
});
