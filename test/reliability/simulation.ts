/** The simulated worlds: how many of each kind, in several processes, and what has to come of them. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { COVERAGE_POINTS } from "../../src/testing/invariants/coverage-points.ts";
import { runTypeScript } from "../support/run-typescript.ts";
import type { Finding, Findings, Scale, Section } from "./section.ts";
import { add, emptySum, WORLDS, type WorldSum } from "./simulated/worlds.ts";

/** So many seeds of a kind, from the first on. */
interface Share {
  readonly kind: string;
  readonly seeds: Readonly<Record<Scale, number>>;
  /** Seeds that one process plays before another takes over. */
  readonly lot: number;
  /** Every how many seeds one is played twice. */
  readonly twice: number;
}

const SHARES: readonly Share[] = [
  { kind: "drawn", seeds: { test: 1_000, quick: 2_000, full: 22_000 }, lot: 500, twice: 100 },
  { kind: "short", seeds: { test: 1_000, quick: 2_000, full: 30_000 }, lot: 1_000, twice: 100 },
  ...["cuts", "stalls", "lies", "slow", "memory", "relays", "turns", "streams", "inputs"].map((kind) => ({
    kind,
    seeds: { test: 100, quick: 500, full: 1_000 },
    lot: 250,
    twice: 100,
  })),
  { kind: "soak", seeds: { test: 1, quick: 1, full: 2 }, lot: 1, twice: 1_000 },
  { kind: "wide", seeds: { test: 1, quick: 1, full: 27 }, lot: 1, twice: 1_000 },
];

/** A process that plays longer than so many real ms is stuck. */
const MAX_WAIT_MS = 3_600_000;
const CHILD = "test/reliability/simulated/child.ts";

/** Where the hashes of the first seeds are kept. */
export const GOLDEN: URL = new URL("../golden/simulation.json", import.meta.url);

/** Plays one lot in a process of its own. */
export async function playLot(kind: string, from: number, count: number, twice: number): Promise<WorldSum> {
  const args = [kind, String(from), String(count), String(twice)];
  const env = { POWERHOSE_SEED: "" }; // the seeds are the lot's
  return JSON.parse(await runTypeScript(CHILD, { args, env, timeout: MAX_WAIT_MS })) as WorldSum;
}

interface Lot {
  readonly share: Share;
  readonly from: number;
  readonly count: number;
}

function lotsOf(scale: Scale): Lot[] {
  return SHARES.flatMap((share) => {
    const { lot, seeds } = share;
    const lots: Lot[] = [];
    for (let from = 1; from <= seeds[scale]; from += lot)
      lots.push({ share, from, count: Math.min(lot, seeds[scale] - from + 1) });
    return lots;
  });
}

/** The long ones first, so that nobody waits for one in the end. */
async function playAll(scale: Scale, say: (line: string) => void): Promise<ReadonlyMap<string, WorldSum>> {
  const sums = new Map<string, WorldSum>();
  const lots = lotsOf(scale).toSorted((a, b) => a.share.lot - b.share.lot);
  const play = async (): Promise<void> => {
    for (let lot = lots.shift(); lot !== undefined; lot = lots.shift()) {
      const { share, from, count } = lot;
      const played = await playLot(share.kind, from, count, share.twice);
      const sum = sums.get(share.kind) ?? emptySum();
      sums.set(share.kind, sum);
      add(sum, played);
      say(
        `${share.kind}: ${sum.seeds} of ${share.seeds[scale]} seeds, ${sum.jobs} jobs, ${sum.failures.length} failures`,
      );
      for (const failure of played.failures) say(failure);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, play));
  return sums;
}

function worldFinding(kind: string, { seeds, jobs, hours, failures }: WorldSum): Finding {
  const [first = ""] = failures;
  return {
    what: `${kind}: ${WORLDS[kind]?.about ?? ""}`,
    figure:
      `${failures.length} of ${seeds.toLocaleString("en")} seeds failed (${jobs.toLocaleString("en")} jobs, ` +
      `${Math.round(hours).toLocaleString("en")} virtual hours)${first === "" ? "" : `; ${first}`}`,
    wanted: "0",
    ok: failures.length === 0,
  };
}

/** The hashes of the first seeds are the same wherever and whenever they are played. */
function goldenFinding(drawn: WorldSum | undefined): Finding {
  const golden = JSON.parse(readFileSync(GOLDEN, "utf8")) as Readonly<Record<string, string>>;
  const seeds = Object.keys(golden);
  const same = seeds.filter((seed) => drawn?.hashes[Number(seed)] === golden[seed]).length;
  return {
    what: "determinism: seeds whose hash is the recorded one",
    figure: `${same} of ${seeds.length}`,
    wanted: "all",
    ok: same === seeds.length && same > 0,
  };
}

function sometimesFindings(total: WorldSum): Finding[] {
  return COVERAGE_POINTS.map((name) => {
    const count = total.sometimes[name] ?? 0;
    return { what: `sometimes: ${name}`, figure: count.toLocaleString("en"), wanted: "over 0", ok: count > 0 };
  });
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const sums = await playAll(scale, say);
  const total = emptySum();
  for (const sum of sums.values()) add(total, sum);
  const findings = [
    ...[...sums].map(([kind, sum]) => worldFinding(kind, sum)),
    goldenFinding(sums.get("drawn")),
    ...sometimesFindings(total),
  ];
  const faults = Object.entries(total.faults).map(([kind, count]) => [`fault: ${kind}`, count] as const);
  const { seeds, jobs, observations } = total;
  return { findings, counts: { seeds, jobs, observations, ...Object.fromEntries(faults) } };
}

export const simulation: Section = {
  name: "simulation",
  title: "Simulated worlds",
  about:
    "The real runner and workers on virtual time, over a network and machines that fail by chance from a seed. After each " +
    "event the promises are checked, those about frames by an oracle that sees nothing else. Faults come until a time; after " +
    "it every call has to settle and every worker that can be reached has to be back. Each hundredth seed is played twice.",
  run,
};
