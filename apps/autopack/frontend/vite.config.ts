import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// As nginx does in production: page and API are one origin, so there is no CORS to configure.
const backend = process.env.AUTOPACK_API_URL ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react()],
  // Not in node_modules: the development container runs as the host's user, who need not own that folder.
  cacheDir: "/tmp/vite",
  server: {
    host: "0.0.0.0",
    port: 5173,
    strictPort: true,
    proxy: { "/api": backend, "/health": backend },
  },
  test: { environment: "jsdom" },
});
