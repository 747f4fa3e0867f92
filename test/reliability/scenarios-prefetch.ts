/**
 * Whether prefetching pays where it should and costs nothing where it should not: the real runner and real workers on
 * virtual time, with a network that takes 30 µs each way and handlers that take what their job says. A handler that waits
 * stands in for one that computes, as each worker has but one slot.
 */
import type { Prefetch } from "../../src/core/session/prefetch.ts";
import { JobRunner } from "../../src/core/runner/runner.ts";
import type { Handler } from "../../src/core/worker/execution.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import { FaultyNetwork } from "../../src/testing/network/network.ts";
import type { Observed } from "../../src/testing/history/observation.ts";
import { SeededRandom } from "../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";
import type { Finding, Scale } from "./section.ts";

/** One way, in ms. */
const WAY = 0.03;
/** What a short job takes, in ms. */
const SHORT = 0.01;
/** How often the fleet is looked at, in ms. */
const LOOK = 0.25;

/** What one run came to. Times in virtual ms. */
interface Outcome {
  /** From the first job handed in to the last answer. */
  readonly makespan: number;
  /** What 99 of 100 jobs did not take longer than. */
  readonly p99: number;
  /** The longest time in which some job waited at a worker while another worker had nothing to do. */
  readonly stuck: number;
  /** The most that waited at workers. */
  readonly prefetched: number;
  /** How many came back from a worker that had not begun them. */
  readonly back: number;
}

/** What to run: how long each job takes, in ms. */
type Load = (chance: SeededRandom) => readonly number[];

/** Hands in all jobs, at once or one every so many ms, at a fleet that has just started. */
export async function play(
  workers: number,
  jobs: readonly number[],
  prefetch: Prefetch,
  seed: number,
  every = 0,
): Promise<Outcome> {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  let back = 0;
  const observe = (seen: Observed): void => {
    if (seen.kind !== "delivered") return;
    for (const message of seen.messages ?? []) if (message.type === "REJECT" && message.reason === "recalled") back++;
  };
  const network = new FaultyNetwork({ clock, random, latency: [WAY, WAY], observe });
  const runner = new JobRunner({ clock, random, listen: network.listen("runner"), prefetch });
  const handler: Handler = ({ data }) => new Promise((resolve) => void clock.set(Number(data), () => resolve("")));
  const fleet = Array.from({ length: workers }, (_, n) => {
    return new Worker({ clock, random, handler, dial: network.dialer(`w${n}`, "runner"), identity: `w${n}` });
  });
  const started = Promise.all([runner.start(), ...fleet.map((worker) => worker.start())]);
  await clock.advance(1_000);
  await started;
  const outcome = await load(clock, runner, jobs, every);
  const stopped = Promise.all([runner.stop(), ...fleet.map((worker) => worker.stop())]);
  await clock.advance(100);
  await stopped;
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`);
  return { ...outcome, back };
}

async function load(
  clock: VirtualClock,
  runner: JobRunner,
  jobs: readonly number[],
  every: number,
): Promise<Omit<Outcome, "back">> {
  const begun = clock.now();
  const took: number[] = [];
  let [stuckSince, stuck, prefetched] = [Number.POSITIVE_INFINITY, 0, 0];
  const look = (): void => {
    const { queued, prefetched: waiting, workers } = runner.stats();
    prefetched = Math.max(prefetched, waiting);
    const idle = workers.some(({ inFlight }) => inFlight === 0);
    if (!idle || waiting === 0 || queued > waiting) stuckSince = Number.POSITIVE_INFINITY;
    else stuckSince = Math.min(stuckSince, clock.now());
    if (stuckSince < clock.now()) stuck = Math.max(stuck, clock.now() - stuckSince);
    if (took.length < jobs.length) clock.set(LOOK, look);
  };
  const submit = (ms: number): void => {
    const at = clock.now();
    runner.submitter.submit(String(ms), undefined, ({ error }) => {
      if (error !== undefined) throw new Error("a job failed", { cause: error });
      took.push(clock.now() - at);
    });
  };
  for (const [n, ms] of jobs.entries()) {
    if (every === 0) submit(ms);
    else clock.set(n * every, () => submit(ms));
  }
  look();
  await clock.run(() => took.length === jobs.length);
  const makespan = clock.now() - begun;
  await clock.advance(LOOK);
  took.sort((a, b) => a - b);
  return { makespan, p99: took[Math.ceil(took.length * 0.99) - 1] ?? 0, stuck, prefetched };
}

const mixed =
  (jobs: number): Load =>
  (chance) =>
    Array.from({ length: jobs }, () => (chance.below(100) === 0 ? 100 : SHORT));
const even =
  (jobs: number, ms: number): Load =>
  () =>
    Array.from({ length: jobs }, () => ms);
/** Short ones, then long ones, then some short ones that were sent to stand behind them. */
const turning =
  (short: number, long: number, behind: number): Load =>
  () => [...Array<number>(short).fill(SHORT), ...Array<number>(long).fill(50), ...Array<number>(behind).fill(SHORT)];

const SEEDS: Readonly<Record<Scale, readonly number[]>> = { test: [1], quick: [1, 2], full: [1, 2, 3, 4, 5] };
/** Jobs, for each worker. */
const JOBS: Readonly<Record<Scale, number>> = { test: 1_000, quick: 2_500, full: 4_000 };

/** The worst of several seeds, by what is looked at. */
async function worst(seeds: readonly number[], look: (seed: number) => Promise<number>): Promise<number> {
  let most = Number.NEGATIVE_INFINITY;
  for (const seed of seeds) most = Math.max(most, await look(seed));
  return most;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

async function neverSlower(name: string, workers: number, jobs: Load, seeds: readonly number[]): Promise<Finding[]> {
  let p99 = 0;
  const makespan = await worst(seeds, async (seed) => {
    const list = jobs(new SeededRandom(seed));
    const [plain, auto] = [await play(workers, list, 0, seed), await play(workers, list, "auto", seed)];
    p99 = Math.max(p99, auto.p99 / plain.p99);
    return auto.makespan / plain.makespan;
  });
  const what = `prefetch: ${name}, ${workers} workers`;
  const wanted = "at most 105 % of what it is without";
  return [
    { what: `${what}: the whole`, figure: percent(makespan), wanted, ok: makespan <= 1.05 },
    { what: `${what}: 99 of 100 jobs`, figure: percent(p99), wanted, ok: p99 <= 1.05 },
  ];
}

/** Jobs that come one by one, so that 85 % of the workers' time is taken: who stands behind a long one is seen here. */
async function inTime(workers: number, jobs: number, seeds: readonly number[]): Promise<Finding> {
  let always = 0;
  const auto = await worst(seeds, async (seed) => {
    const list = mixed(jobs)(new SeededRandom(seed));
    const every = (0.99 * SHORT + 1) / workers / 0.85;
    const [plain, measured, eight] = [
      await play(workers, list, 0, seed, every),
      await play(workers, list, "auto", seed, every),
      await play(workers, list, 8, seed, every),
    ];
    always = Math.max(always, eight.p99 / plain.p99);
    return measured.p99 / plain.p99;
  });
  return {
    what: `prefetch: 99 % at 10 µs, 1 % at 100 ms, one by one, ${workers} workers: 99 of 100 jobs`,
    figure: `${percent(auto)}; with eight prefetched always ${percent(always)}`,
    wanted: "at most 105 % of what it is without",
    ok: auto <= 1.05,
  };
}

/** From a fleet that has just started: the first jobs of each worker, which are measured, go one by one. */
async function keepsBusy(workers: number, jobs: number, seeds: readonly number[]): Promise<Finding> {
  const list = even(jobs, SHORT)(new SeededRandom(0));
  const share = (makespan: number): number => (jobs / workers) * (SHORT / makespan);
  const slowest = -(await worst(seeds, async (seed) => -share((await play(workers, list, "auto", seed)).makespan)));
  const plain = share((await play(workers, list, 0, 1)).makespan);
  return {
    what: `prefetch: all at 10 µs, ${workers} workers: time in handlers`,
    figure: `${percent(slowest)}; without ${percent(plain)}`,
    wanted: "at least 90 %",
    ok: slowest >= 0.9,
  };
}

/** When half of the workers begin a long job, the others ask for what stands behind it: half of it, then the rest. */
async function setsFree(workers: number, jobs: number, seeds: readonly number[]): Promise<Finding> {
  const jobsOf = turning(jobs, workers / 2, 40);
  let back = Number.POSITIVE_INFINITY;
  const stuck = await worst(seeds, async (seed) => {
    const outcome = await play(workers, jobsOf(new SeededRandom(seed)), "auto", seed);
    back = Math.min(back, outcome.back);
    return outcome.stuck;
  });
  return {
    what: `prefetch: half of ${workers} workers turn from 10 µs to 50 ms: waiting while another is idle`,
    figure: `${stuck.toFixed(1)} ms, ${back} jobs called back`,
    wanted: "at most 3 ms",
    ok: back > 0 && stuck <= 3,
  };
}

/** Everything there is to say of it. */
export async function prefetchFindings(scale: Scale): Promise<readonly Finding[]> {
  const [seeds, jobs] = [SEEDS[scale], JOBS[scale]];
  const findings: Finding[] = [];
  for (const workers of [2, 8]) {
    const all = workers * jobs;
    findings.push(...(await neverSlower("99 % at 10 µs, 1 % at 100 ms", workers, mixed(all), seeds)));
    findings.push(await inTime(workers, all, seeds));
    findings.push(...(await neverSlower("all at 20 ms", workers, even(all / 4, 20), seeds)));
    findings.push(await keepsBusy(workers, 3 * all, seeds));
    findings.push(...(await neverSlower("10 µs, then 50 ms", workers, turning(all / 2, all / 2, 0), seeds)));
    findings.push(await setsFree(workers, all, seeds));
  }
  return findings;
}
