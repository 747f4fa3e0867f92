/** L5: WebSocket workers that come and go: nothing is left of them, in the runner or at their own end. */
import type { Findings, Scale } from "../section.ts";
import { Child, type Report } from "./child.ts";
import { all, atMost, count, exactly, MIB, type Row, some, tenths } from "./row.ts";

const CYCLES: Readonly<Record<Scale, number>> = { test: 1_000, quick: 5_000, full: 100_000 };
/** Cycles that are not measured: before them, code is still being compiled. */
const WARM: Readonly<Record<Scale, number>> = { test: 300, quick: 1_000, full: 5_000 };

async function churned(cycles: number, warm: number): Promise<Report> {
  await using child = new Child("loads-churn.js", { cycles, warm });
  const report = await child.report();
  await child.ended();
  return report;
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const cycles = CYCLES[scale];
  const report = await churned(cycles, WARM[scale]);
  const figure = (name: string): number => Child.figure(report, name);
  say(`${count(cycles)} workers came and went in ${tenths(figure("ms") / 1_000)} s`);
  return {
    findings: [
      all("L5: WebSocket workers that registered", figure("registered"), cycles),
      all("L5: of those, gone again", figure("gone"), cycles),
      some("L5: that stopped", figure("stopped")),
      some("L5: that drained", figure("drained")),
      some("L5: that saw a job of theirs done and left", figure("worked")),
      some("L5: that were cut off", figure("cut")),
      exactly("L5: wrong results", figure("wrong"), 0),
      exactly("L5: sessions left", figure("sessions"), 0),
      exactly("L5: newcomers left", figure("pending"), 0),
      exactly("L5: jobs left", figure("calls"), 0),
      exactly("L5: TCP connections left, both ends", figure("sockets"), 0),
      exactly("L5: listeners left on the server and the process", figure("listeners"), 0),
      exactly("L5: warnings of the process", figure("warnings"), 0),
      atMost(`L5: heap growth over ${count(cycles)} cycles`, figure("grown") / MIB, 2, "MiB", 2),
    ],
    counts: { "workers that came and went": cycles, "connections cut": figure("cut") },
  };
}

/** The row. */
export const churn: Row = { name: "L5: workers that come and go", run };
