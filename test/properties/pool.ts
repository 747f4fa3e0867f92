/** P1: the pool of workers does what its model does, whatever is asked of it. */
import * as fc from "fast-check";
import { poolCommands } from "./pool-commands.ts";
import { type Mode, PoolModel } from "./pool-model.ts";
import { RealPool } from "./real-pool.ts";
import type { Statement, Tally } from "./statement.ts";

const LOGGED = ["acquire", "context", "bare"] as const;

function count(model: PoolModel, tally: Tally): void {
  for (const kind of LOGGED) {
    for (const line of model.logs[kind]) tally.add(`${kind}: ${line.replace(/^\d+ /, "").replace(/ \S+#\d+$/, "")}`);
  }
}

/** P1. */
export const pool: readonly Statement[] = [
  {
    name: "P1: a pool of workers is its model, whatever sequence of commands it is given",
    runs: 10_000,
    fullRuns: 200_000,
    meets: [
      ...["acquire", "context"].flatMap((kind) => ["got", "timed out", "aborted", "shut"].map((w) => `${kind}: ${w}`)),
      "bare: got",
      "bare: declined",
    ],
    property: (tally) =>
      fc.asyncProperty(
        fc.constantFrom<Mode>("plain", "wrapped"),
        fc.constantFrom(0, 64),
        fc.commands(poolCommands(tally), { maxCommands: 100, size: "max" }),
        async (mode, scansBeforeIndex, script) => {
          const model = new PoolModel(mode);
          await fc.asyncModelRun(() => ({ model, real: new RealPool(mode, scansBeforeIndex) }), script);
          count(model, tally);
        },
      ),
  },
];
