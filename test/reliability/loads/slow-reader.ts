/** L4: a WebSocket worker that stops reading: what waits for it is bounded, it is let go of, and the others notice nothing. */
import type { Finding, Findings, Scale } from "../section.ts";
import { Child, type Report, type Task } from "./child.ts";
import { all, atMost, exactly, MIB, type Row, tenths } from "./row.ts";

/** How long a worker may read nothing at all, in ms. The long form takes the default. */
const STALL: Readonly<Record<Scale, number>> = { test: 1_000, quick: 1_000, full: 10_000 };

/** How much slower the median job of another worker may get. A runner that is held up by the slow one is slower by far more. */
const RATIO = 5;

async function stall(task: Task): Promise<Report> {
  await using child = new Child("loads-slow-reader.js", task);
  const report = await child.report();
  await child.ended();
  return report;
}

/** What waited beyond a limit, the frame that went over it not counted. */
function over(report: Report, limit: number): number {
  return Math.max(0, Child.figure(report, "mostBuffered") - Child.figure(report, "largestFrame") - limit);
}

function bounded(how: string, report: Report, limit: number): Finding[] {
  const figure = (name: string): number => Child.figure(report, name);
  const mib = limit / MIB;
  return [
    exactly(`L4: ${how}: limit reached`, figure("full"), 1),
    atMost(`L4: ${how}: most bytes that waited`, figure("mostBuffered") / MIB, mib + 1, "MiB", 2),
    exactly(`L4: ${how}: bytes over the limit of ${mib} MiB and a frame`, over(report, limit), 0),
    exactly(`L4: ${how}: sessions ended as slow`, figure("slow"), 1),
    all(`L4: ${how}: jobs that were settled by others`, figure("right"), figure("jobs")),
  ];
}

function unnoticed(report: Report): Finding {
  const around = Math.max(Child.figure(report, "before"), Child.figure(report, "after"));
  const ratio = Child.figure(report, "during") / around;
  return atMost("L4: median latency of the others, against without a slow reader", ratio, RATIO, "times", 2);
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const stallTimeout = STALL[scale];
  const stuck = await stall({ highWater: MIB, maxBuffered: 8 * MIB, stallTimeout });
  say(`a stuck reader held ${tenths(Child.figure(stuck, "mostBuffered") / MIB)} MiB`);
  const flooded = await stall({ highWater: 4 * MIB, maxBuffered: 4 * MIB, stallTimeout: 60_000 });
  say(`an overrun reader held ${tenths(Child.figure(flooded, "mostBuffered") / MIB)} MiB`);
  return {
    findings: [
      ...bounded("a reader that is stuck", stuck, MIB),
      ...bounded("a reader that is overrun", flooded, 4 * MIB),
      unnoticed(stuck),
    ],
    counts: { "slow readers": 2 },
  };
}

/** The row. */
export const slowReader: Row = { name: "L4: a slow reader", run };
