/** Chaos: real processes, threads and connections, real signals and real faults, and every single job audited. */
import { aborting } from "./chaos/aborting.ts";
import { killing } from "./chaos/killing.ts";
import { network } from "./chaos/network.ts";
import { restarting } from "./chaos/restarting.ts";
import { type Row, together } from "./chaos/row.ts";
import { stalling } from "./chaos/stalling.ts";
import { stopping } from "./chaos/stopping.ts";
import { threadDeaths } from "./chaos/thread-deaths.ts";
import type { Findings, Section } from "./section.ts";

/** All rows, in the order they are run: one after the other, since each takes the machine as it is. */
export const chaosRows: readonly Row[] = [killing, stopping, restarting, stalling, network, threadDeaths, aborting];

/** The section of the report. */
export const chaos: Section = {
  name: "chaos",
  title: "Chaos with real processes",
  about:
    "Worker processes over WebSocket and threads work for a runner while they are killed, stopped and cut off: kill -9, " +
    "SIGSTOP and SIGCONT of workers and of the runner, a TCP proxy that delays, throttles, cuts and half-opens connections, " +
    "handlers that exit, abort, crash, exhaust their memory and spin. Each job has an id of its own and its answer holds the " +
    "hash of the whole job, so that each outcome can be judged: the right value, or an error that the fault explains.",
  async run(scale, say) {
    const all: Findings[] = [];
    for (const row of chaosRows) {
      const from = performance.now();
      all.push(await row.run(scale, say));
      say(`${row.name}: ${((performance.now() - from) / 1_000).toFixed(1)} s`);
    }
    return together(all);
  },
};
