/** L3: more than anybody can do at once, on the in-memory transport: a full queue refuses, and `map` takes its time. */
import type { Finding, Findings, Scale } from "../section.ts";
import { Child, type Report, type Task } from "./child.ts";
import { all, atMost, count, exactly, MIB, type Row, tenths } from "./row.ts";

const CALLS: Readonly<Record<Scale, number>> = { test: 100_000, quick: 200_000, full: 1_000_000 };
const INPUTS: Readonly<Record<Scale, number>> = { test: 50_000, quick: 200_000, full: 1_000_000 };
const MAX_QUEUE = 10_000;
const WINDOW = 1_024;

async function only(fixture: string, task: Task): Promise<Report> {
  await using child = new Child(fixture, task);
  const report = await child.report();
  await child.ended();
  return report;
}

function refusals(report: Report, calls: number): Finding[] {
  const figure = (name: string): number => Child.figure(report, name);
  return [
    all("L3: execute() against a full queue: refused with QueueFullError", figure("refused"), calls),
    exactly("L3: of those, not refused in the turn they were made in", figure("late"), 0),
    exactly("L3: calls that ended in any other way", figure("otherwise"), 0),
    exactly("L3: jobs waiting after the flood", figure("queued"), MAX_QUEUE),
    all("L3: accepted jobs that settled with the right value", figure("right"), figure("accepted")),
    exactly("L3: jobs left in the runner", figure("left"), 0),
    atMost(`L3: heap growth at its peak over ${count(calls)} refusals`, figure("peak") / MIB, 50, "MiB"),
    atMost("L3: heap growth that stayed", figure("grown") / MIB, 1, "MiB", 2),
  ];
}

function mapped(report: Report, inputs: number): Finding[] {
  const figure = (name: string): number => Child.figure(report, name);
  return [
    all("L3: map(): outcomes in order, with the right value", figure("right"), inputs),
    atMost("L3: map(): inputs ahead of the outcome read last", figure("unread"), WINDOW, "inputs", 0),
    atMost(`L3: map(): heap growth over ${count(inputs)} inputs`, figure("grown") / MIB, 1, "MiB", 2),
  ];
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const calls = CALLS[scale];
  const inputs = INPUTS[scale];
  const flood = await only("loads-flood.js", { calls, maxQueue: MAX_QUEUE });
  say(`${count(calls)} calls refused, ${tenths(Child.figure(flood, "peak") / MIB)} MiB at the peak`);
  const map = await only("loads-map.js", { inputs, window: WINDOW });
  say(`map() over ${count(inputs)} inputs`);
  return {
    findings: [...refusals(flood, calls), ...mapped(map, inputs)],
    counts: { "calls against a full queue": calls, "inputs mapped": inputs },
  };
}

/** The row. */
export const flood: Row = { name: "L3: a flood of jobs", run };
