/**
 * Plays a scenario in one simulated world after another, seed by seed, and makes a failure tell how to see it again. What a
 * world does is in simulation.ts.
 */
import { checkOptions, duration, flag, integer, type Rules, shape } from "../core/options.ts";
import { allCheckers } from "./checkers/checkers.ts";
import { InvariantError, Simulation, type SimulationOptions, StuckError } from "./simulation.ts";

/** How a scenario is simulated. */
export interface SimulateOptions extends SimulationOptions {
  /** How many seeds are played; default 100. */
  readonly seeds?: number | undefined;
  /** The first of them; default 1. The environment's `POWERHOSE_SEED` names the only one. */
  readonly from?: number | undefined;
  /** How many of them, from the first, are played twice to see that nothing but the seed decides; default 1. */
  readonly verify?: number | undefined;
  /** Lines of the log that a failure shows; default 40. */
  readonly logLines?: number | undefined;
}

/** What simulated runs came to. */
export interface SimulationReport {
  /** Seeds played. */
  readonly seeds: number;
  /** Virtual ms lived through, over all seeds. */
  readonly virtualTime: number;
  /** Jobs taken in by `execute`, over all seeds. */
  readonly jobs: number;
  /** Things observed, over all seeds. */
  readonly observations: number;
  /** Rare things that happened, by name, and how often. A name that is never seen shows what a scenario does not try. */
  readonly sometimes: ReadonlyMap<string, number>;
  /** Per seed, the hash of all that happened. */
  readonly hashes: ReadonlyMap<number, string>;
}

/** A simulated run failed: its message says with which seed, how to see it again, and what happened last. */
export class SimulationError extends Error {
  override readonly name: string = "SimulationError";
  /** The seed that fails. */
  readonly seed: number;
  /** The last that happened, a line each. */
  readonly log: readonly string[];

  /** @internal */
  constructor(message: string, seed: number, log: readonly string[], cause: unknown) {
    super(message, { cause });
    this.seed = seed;
    this.log = log;
  }
}

/** A test in a simulated world. */
export type Scenario = (sim: Simulation) => unknown;

interface Played {
  readonly sim: Simulation;
  readonly error: unknown;
  readonly failed: boolean;
  readonly sometimes: ReadonlyMap<string, number>;
}

const SEEDS = 100;
const LOG_LINES = 40;
const RULES: Rules<SimulateOptions> = {
  seeds: integer(1),
  from: integer(0),
  verify: integer(0),
  logLines: integer(0),
  patience: duration,
  shuffle: flag,
  network: shape("an object"),
};

/**
 * Plays a scenario with every seed. The library's promises are checked after each event and at the end, whatever the
 * scenario itself looks at.
 *
 * ```ts
 * await simulate({ seeds: 200 }, async (sim) => {
 *   const runner = sim.runner();
 *   const worker = sim.worker("w1", async (job, { signal }) => {
 *     await sim.sleep(40, signal);
 *     return String(job.data).toUpperCase();
 *   });
 *   sim.at(20, () => worker.crash());
 *   sim.at(500, () => worker.restart());
 *   assert.equal(await runner.execute("hello"), "HELLO");
 * });
 * ```
 *
 * @throws SimulationError for the first seed that fails; its `cause` is what the scenario threw, an {@link InvariantError} or
 * a {@link StuckError}. TypeError or RangeError when an option is wrong.
 */
export async function simulate(options: SimulateOptions, scenario: Scenario): Promise<SimulationReport> {
  checkOptions("simulate", options, RULES);
  if (typeof scenario !== "function") throw new TypeError("simulate: expected a function that plays the scenario");
  const seeds = seedsOf(options);
  const { verify = 1 } = options;
  const sometimes = new Map<string, number>();
  const hashes = new Map<number, string>();
  let [virtualTime, jobs, observations] = [0, 0, 0];
  for (const [index, seed] of seeds.entries()) {
    const played = await play(seed, options, scenario);
    const again = played.failed || index < verify ? await play(seed, options, scenario) : undefined;
    if (played.failed) throw failure(played, again, seeds.length, options);
    if (again !== undefined && again.sim.trace.hash !== played.sim.trace.hash) throw unsteady(played, again, options);
    const { sim } = played;
    hashes.set(seed, sim.trace.hash);
    virtualTime += sim.now();
    observations += sim.trace.count;
    for (const runner of sim.runners) jobs += runner.calls.submitted;
    for (const [name, count] of played.sometimes) sometimes.set(name, (sometimes.get(name) ?? 0) + count);
  }
  return { seeds: seeds.length, virtualTime, jobs, observations, sometimes, hashes };
}

async function play(seed: number, options: SimulateOptions, scenario: Scenario): Promise<Played> {
  const { network, patience, shuffle } = options;
  let sometimes: ReadonlyMap<string, number> = new Map();
  const sim = new Simulation(seed, { network, patience, shuffle }, (violation) => {
    const checkers = allCheckers(violation);
    sometimes = checkers.sometimes.counts;
    return checkers.all;
  });
  try {
    await sim.play(scenario);
    return { sim, error: undefined, failed: false, sometimes };
  } catch (error) {
    return { sim, error, failed: true, sometimes };
  }
}

/** The environment's seed goes before the options': it is set by somebody who looks for one failure. */
function seedsOf({ seeds = SEEDS, from = 1 }: SimulateOptions): readonly number[] {
  const { process } = globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } };
  const asked = process?.env?.["POWERHOSE_SEED"];
  if (asked !== undefined && asked !== "") {
    if (!/^\d{1,15}$/.test(asked))
      throw new RangeError(`POWERHOSE_SEED is a whole number, not ${JSON.stringify(asked)}`);
    return [Number(asked)];
  }
  return Array.from({ length: seeds }, (_, index) => from + index);
}

function failure(played: Played, again: Played | undefined, seeds: number, options: SimulateOptions): SimulationError {
  const { sim, error } = played;
  const steady = again?.failed === true && again.sim.trace.hash === sim.trace.hash;
  const doubt = steady
    ? ""
    : "\n  Played again, the same seed went another way: something other than the seed decides (real time, Math.random, state kept between runs).";
  const which = seeds === 1 ? `seed ${sim.seed}` : `seed ${sim.seed} (of ${seeds})`;
  return makeError(`${which} failed at ${sim.now().toFixed(1)} ms: ${text(error)}`, doubt, played, options);
}

function unsteady(played: Played, again: Played, options: SimulateOptions): SimulationError {
  const why = again.failed
    ? `the second time it failed: ${text(again.error)}`
    : "the second time other things happened";
  const message = `seed ${played.sim.seed} was played twice, and ${why}. Something other than the seed decides: real time, Math.random, or state kept between runs`;
  return makeError(message, "", again, options);
}

function makeError(headline: string, doubt: string, { sim, error }: Played, options: SimulateOptions): SimulationError {
  const log = sim.trace.lines(options.logLines ?? LOG_LINES);
  const again = `  To see it again: POWERHOSE_SEED=${sim.seed} <your test command>, or simulate({ from: ${sim.seed}, seeds: 1 }, …)`;
  const message = `${headline}${doubt}\n${again}\n  The last that happened (virtual time, who, what):\n${log.join("\n")}\n`;
  return new SimulationError(message, sim.seed, log, error);
}

function text(error: unknown): string {
  if (error instanceof InvariantError || error instanceof StuckError) return `${error.name}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
