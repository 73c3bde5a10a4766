import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const daphne = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  // Not in node_modules: the development container runs as the host's user, who need not own that folder.
  cacheDir: "/tmp/vite",
  server: {
    host: "0.0.0.0",
    port: 3000,
    strictPort: true,
    // The names that requests come by are passed on as they are: the WebSocket compares them with its page's.
    proxy: { "/api": { target: daphne }, "/ws": { target: daphne, ws: true } },
  },
  test: { environment: "jsdom" },
});
