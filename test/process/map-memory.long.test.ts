/** What a `map` holds under a limit of the heap, from a reader that stops. */
import { describe, expect, it } from "vitest";
import { runTypeScript } from "../support/run-typescript.ts";

describe("in a process with little memory", () => {
  it.each(["ordered", "unordered"])(
    "holds little of 1,024 results of 1 MB each, %s",
    { timeout: 300_000 },
    async (order) => {
      const flags = ["--max-old-space-size=160"];
      const out = await runTypeScript("test/process/map-memory.ts", { args: [order], flags, timeout: 280_000 });
      const { stops, mostHeld } = JSON.parse(out) as { stops: number[]; mostHeld: number };
      // Two bytes a unit are counted, and one is taken: 64 MiB count as 33 MB. What ran before the first result comes on top.
      expect(mostHeld).toBeLessThanOrEqual(33 + 16);
      expect(stops[0]).toBeLessThanOrEqual(1 + 33 + 16);
      expect(stops[1]).toBeLessThanOrEqual(100 + 33 + 16);
      expect(stops[1]).toBeGreaterThan(100 + 16);
    },
  );
});
