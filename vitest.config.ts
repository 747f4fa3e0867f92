import { availableParallelism } from "node:os";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** A file that says by its name that it takes long: `npm test` leaves it out, `npm run test:long` runs these alone. */
const LONG = "test/**/*.long.test.ts";

/** Folders of tests on virtual time alone. */
const PURE = ["core", "crew", "observe", "properties", "testing"].map((folder) => `test/${folder}/**/*.test.ts`);

/** They load the core under replaced globals of the host: what shares their process would keep a clock that stands still. */
const HOST = ["test/core/time/system.test.ts"];

const maxWorkers = availableParallelism();

const config: ViteUserConfig = defineConfig({
  test: {
    setupFiles: ["test/support/leaks.ts"],
    // Processes: the leak test counts what the process holds, and in a thread it would see vitest's own ports.
    pool: "forks",
    // A guard against hanging, not a measure: tests wait for conditions, and a busy machine may be ten times slower.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        // Nothing of the host is touched here, so files share processes: one for each would cost as much as its tests.
        test: { name: "pure", include: PURE, exclude: [LONG, ...HOST], isolate: false, maxWorkers },
      },
      {
        extends: true,
        test: {
          name: "real",
          include: [...HOST, "test/!(core|crew|observe|properties|testing)/**/*.test.ts"],
          exclude: [LONG],
          maxWorkers,
        },
      },
      {
        extends: true,
        // One file at a time, after the others: most start as many processes as there are cores.
        test: { name: "long", include: [LONG], maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});

export default config;
