import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/leaks.ts"],
    // A process per file: the leak test counts what the process holds, and in a thread it would see vitest's own ports.
    pool: "forks",
    testTimeout: 20_000,
  },
});

export default config;
