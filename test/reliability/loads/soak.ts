/** L6: callers and WebSocket workers in real time, through trouble of every kind: all jobs settle and the memory stays as it is. */
import type { Finding, Findings, Scale } from "../section.ts";
import { Child, type Report } from "./child.ts";
import { atMost, count, exactly, KIB, MIB, type Row, some, tenths } from "./row.ts";

/** How long, in ms; `SOAK_MINUTES` in the environment says how many minutes the long form takes. */
const LENGTH: Readonly<Record<Scale, number>> = { test: 3_000, quick: 10_000, full: 300_000 };
/** Looks at the memory. */
const LOOKS = 250;
const WORKERS = 12;

const TROUBLE = ["cut", "stuck", "swallowed", "stopped", "drained"] as const;
const ENDINGS = ["right", "failed", "timedOut", "aborted"] as const;

/** How long the soak of a scale takes, in ms. */
function length(scale: Scale): number {
  const minutes = Number(process.env["SOAK_MINUTES"]);
  return scale === "full" && minutes > 0 ? minutes * 60_000 : LENGTH[scale];
}

async function soaked(ms: number): Promise<Report> {
  await using child = new Child("loads-soak.js", { ms, every: ms / LOOKS });
  const report = await child.report();
  await child.ended();
  return report;
}

function memory(report: Report, scale: Scale): Finding[] {
  const figure = (name: string): number => Child.figure(report, name);
  const heap = atMost("L6: heap growth after the first quarter", figure("grown") / MIB, 3, "MiB", 2);
  if (scale !== "full") return [heap];
  const [first, last] = [figure("first") / MIB, figure("last") / MIB];
  const growth = atMost("L6: RSS at the end, over what it was after the first quarter", last - first, 32, "MiB");
  const rise = (figure("slope") * 3_600_000) / MIB;
  // Below an hour the slope is mostly the noise of collections: shown, and held to the order of it.
  return [heap, growth, atMost("L6: slope of the RSS", rise, 60, "MiB an hour")];
}

function jobs(report: Report): Finding[] {
  const figure = (name: string): number => Child.figure(report, name);
  return [
    exactly("L6: jobs that never settled", figure("unsettled"), 0),
    exactly("L6: jobs with a wrong result, or an error of another kind", figure("wrong"), 0),
    exactly("L6: jobs left in the runner", figure("left"), 0),
    exactly("L6: workers of the fleet back at the end", figure("fleet"), WORKERS),
    ...ENDINGS.map((ending) => some(`L6: jobs that ended ${ending}`, figure(ending))),
    ...TROUBLE.map((what) => some(`L6: connections or workers ${what}`, figure(what))),
  ];
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const ms = length(scale);
  const report = await soaked(ms);
  const figure = (name: string): number => Child.figure(report, name);
  const slope = tenths((figure("slope") * 1_000) / KIB);
  say(`${count(figure("jobs"))} jobs in ${count(ms / 1_000)} s; the RSS moved by ${slope} KiB a second`);
  const trouble = TROUBLE.map((what) => [`soak: ${what}`, figure(what)] as const);
  return {
    findings: [...jobs(report), ...memory(report, scale)],
    counts: { "soak: jobs": figure("jobs"), "soak: seconds": ms / 1_000, ...Object.fromEntries(trouble) },
  };
}

/** The row. */
export const soak: Row = { name: "L6: a soak with mixed trouble", run };
