/**
 * Kinds of simulated worlds, and a way to play many of them: by seed, one after the other, in this process. Who plays how many,
 * and in how many processes, is in simulation.ts.
 */
import { simulate, SimulationError, type SimulateOptions } from "../../../src/testing/simulation/simulate.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { PlanDraw, type PlanSize } from "./plan.ts";
import { playPlan } from "./play.ts";
import { soak } from "./soak.ts";
import { inputs } from "./inputs.ts";
import { streams } from "./streams.ts";
import { turns } from "./turns.ts";
import { wide } from "./wide.ts";

/** A kind of world. */
export interface WorldKind {
  /** What happens in it. */
  readonly about: string;
  /** The network's options. */
  readonly network?: SimulateOptions["network"];
  /** Plays one, and counts its faults by kind. */
  readonly play: (sim: Simulation, count: (fault: string) => void) => Promise<void>;
}

function drawn(about: string, size: PlanSize): WorldKind {
  return {
    about,
    // What the network takes in at once is little here, so that a slow reader is felt.
    network: { window: 512 },
    play: async (sim, count) => {
      const { faults } = await playPlan(sim, new PlanDraw(sim.rng.stream("plan"), size).draw());
      for (const [kind, times] of faults) for (let i = 0; i < times; i++) count(kind);
    },
  };
}

const FOCUSED: PlanSize = { jobs: 30, workers: 4, length: 1_500 };

/** The kinds by name. */
export const WORLDS: Readonly<Record<string, WorldKind>> = {
  drawn: drawn("everything drawn by the seed, about a hundred jobs", { jobs: 90, workers: 6, length: 5_000 }),
  short: drawn("as `drawn`, but a dozen jobs in a short time", { jobs: 12, workers: 3, length: 500 }),
  cuts: drawn("jobs among connections that are cut again and again", { ...FOCUSED, focus: ["cut", "delete"] }),
  stalls: drawn("jobs among processes that stand still again and again", {
    ...FOCUSED,
    focus: ["stall-runner", "stall-worker", "runner-clock"],
  }),
  lies: drawn("jobs among peers that break every rule", { ...FOCUSED, focus: ["byzantine"] }),
  slow: drawn("large jobs among peers that read slowly", {
    ...FOCUSED,
    jobs: 60,
    focus: ["slow-worker", "slow-runner", "stall-worker"],
    heavy: true,
  }),
  memory: {
    ...drawn("jobs among workers that share memory with their runner, as threads do, and stand still", {
      ...FOCUSED,
      focus: ["stall-worker", "crash", "delete"],
      prefetch: ["auto", 1, 4, 32],
      spoils: true,
    }),
    network: { window: 512, sharedMemory: true },
  },
  relays: drawn("jobs among relays, up to two deep and of two runners, all of whose links and machines fail", {
    ...FOCUSED,
    workers: 3,
    focus: [
      "cut",
      "crash",
      "leave",
      "stall-worker",
      "partition",
      "half-open-in",
      "half-open-out",
      "delete",
      "worker-clock",
    ],
    relays: true,
  }),
  turns: {
    about: "jobs of several runners at workers that listen, among faults, then under equal demand",
    play: turns,
  },
  streams: {
    about: "streams of items, read at any pace and left at any time, straight and behind a relay, among faults",
    play: streams,
  },
  inputs: {
    about: "streams that go into jobs, and streams that are resumed, straight and behind a relay, among faults",
    play: inputs,
  },
  soak: { about: "a day of fifty workers with faults all along", play: (sim) => soak(sim, 24) },
  month: { about: "thirty days of fifty workers with faults all along", play: (sim) => soak(sim, 24 * 30) },
  wide: { about: "a thousand workers and a hundred thousand jobs", play: (sim) => wide(sim, 1_000, 100_000) },
  wider: { about: "ten thousand workers and three hundred thousand jobs", play: (sim) => wide(sim, 10_000, 300_000) },
};

/** What many worlds came to. Plain data: it crosses processes. */
export interface WorldSum {
  seeds: number;
  jobs: number;
  observations: number;
  /** Virtual hours. */
  hours: number;
  readonly sometimes: Record<string, number>;
  readonly faults: Record<string, number>;
  readonly hashes: Record<number, string>;
  /** What failed, a line for each seed; the first with its log. */
  readonly failures: string[];
}

/** Adds one sum to another. */
export function add(sum: WorldSum, more: WorldSum): void {
  sum.seeds += more.seeds;
  sum.jobs += more.jobs;
  sum.observations += more.observations;
  sum.hours += more.hours;
  for (const table of ["sometimes", "faults"] as const)
    for (const [name, count] of Object.entries(more[table])) sum[table][name] = (sum[table][name] ?? 0) + count;
  Object.assign(sum.hashes, more.hashes);
  sum.failures.push(...more.failures);
}

/** Nothing yet. */
export function emptySum(): WorldSum {
  return { seeds: 0, jobs: 0, observations: 0, hours: 0, sometimes: {}, faults: {}, hashes: {}, failures: [] };
}

const HOUR = 3_600_000;
const ENOUGH_FAILURES = 5;

/** Plays worlds of a kind with so many seeds. Every `twice`-th is played twice, and has to go the same way. */
export async function playWorlds(kind: WorldKind, from: number, seeds: number, twice: number): Promise<WorldSum> {
  const sum = emptySum();
  for (let seed = from; seed < from + seeds && sum.failures.length < ENOUGH_FAILURES; seed++) {
    const faults: Record<string, number> = {};
    try {
      const options = { from: seed, seeds: 1, verify: seed % twice === 0 ? 1 : 0, network: kind.network };
      const count = (fault: string): void => void (faults[fault] = (faults[fault] ?? 0) + 1);
      const report = await simulate(options, (sim) => kind.play(sim, count));
      const { jobs, observations, virtualTime } = report;
      const hours = virtualTime / HOUR;
      const sometimes = Object.fromEntries(report.sometimes);
      const hashes = Object.fromEntries(report.hashes);
      add(sum, { seeds: 1, jobs, observations, hours, sometimes, faults, hashes, failures: [] });
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error;
      sum.seeds++;
      sum.failures.push(sum.failures.length === 0 ? error.message : (error.message.split("\n")[0] ?? ""));
    }
  }
  return sum;
}
