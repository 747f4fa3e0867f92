/** The evidence on loads: how many workers, how many jobs, how long. Each row is a file under `loads/`. */
import { churn } from "./loads/churn.ts";
import { crowd } from "./loads/crowd.ts";
import { flood } from "./loads/flood.ts";
import { imports } from "./loads/imports.ts";
import type { Row } from "./loads/row.ts";
import { slowReader } from "./loads/slow-reader.ts";
import { soak } from "./loads/soak.ts";
import type { Finding, Findings, Scale, Section } from "./section.ts";

/** The rows, in the order they are run in. */
export const LOADS: readonly Row[] = [crowd, flood, slowReader, churn, soak, imports];

/** One after the other: each is given the machine to itself. */
async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const findings: Finding[] = [];
  const counts: Record<string, number> = {};
  for (const row of LOADS) {
    say(row.name);
    const found = await row.run(scale, say);
    findings.push(...found.findings);
    Object.assign(counts, found.counts);
  }
  return { findings, counts };
}

/** The section. */
export const loads: Section = {
  name: "loads",
  title: "Loads",
  about:
    "Real sockets, real time and processes of their own, so that memory and processor time are those of the load alone: " +
    "thousands of WebSocket workers on one runner, floods of jobs, a worker that stops reading, workers that come and go, " +
    "and a soak in which connections are cut, stuck and swallowed. Heap figures are taken after a collection. Last, what " +
    "an import does to a process, and whether the package works where the built-ins are frozen.",
  run,
};
