/**
 * Plays a scenario in one simulated world after another, seed by seed, and finds out which fails. What a world does is in
 * simulation.ts, what a failure says in report.ts.
 */
import { checkOptions, duration, isBoolean, integer, type Validators, hasMethods } from "../../core/options.ts";
import { allCheckers } from "../invariants/checkers.ts";
import { failureReport, partingLines } from "./report.ts";
import { formatTime } from "../history/format.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";

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
  /** Steps planned by `at` or by a fault schedule for a time after the scenario's end, over all seeds: they never happened. */
  readonly unreached: number;
  /** Rare things that happened, by name, and how often. A name that is never seen shows what a scenario does not try. */
  readonly sometimes: ReadonlyMap<string, number>;
  /** Per seed, the hash of all that happened. */
  readonly hashes: ReadonlyMap<number, string>;
}

/** A simulated run failed: its message says with which seed, how to see it again, and what happened last. */
export class SimulationError extends Error {
  /** Names the class. */
  override readonly name: string = "SimulationError";
  /** The seed that fails. */
  readonly seed: number;
  // Behind a getter, since test runners print every property of an error, and the message has the log already.
  readonly #log: readonly string[];

  /** @internal */
  constructor(message: string, seed: number, log: readonly string[], cause?: ErrorOptions) {
    super(message, cause);
    this.seed = seed;
    this.#log = log;
  }

  /** The last that happened, a line each. */
  get log(): readonly string[] {
    return this.#log;
  }
}

/** A test in a simulated world. */
export type Scenario = (sim: Simulation) => unknown;

/** The seeds that are played: `count` from `first`. */
interface Seeds {
  readonly first: number;
  readonly count: number;
}

interface Played {
  readonly sim: Simulation;
  readonly error: unknown;
  readonly failed: boolean;
  readonly sometimes: ReadonlyMap<string, number>;
}

const SEEDS = 100;
const LOG_LINES = 40;
const NOT_THE_SEED = "Something other than the seed decides: real time, Math.random, or state kept between runs";
const RULES: Validators<SimulateOptions> = {
  seeds: integer(1),
  from: integer(0),
  verify: integer(0),
  logLines: integer(0),
  stuckAfter: duration,
  shuffle: isBoolean,
  network: hasMethods("an object"),
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
  const callers = stackAbove(simulate);
  check(options, scenario);
  const seeds = seedsOf(options);
  const { verify = 1 } = options;
  const sometimes = new Map<string, number>();
  const hashes = new Map<number, string>();
  let [virtualTime, jobs, observations, unreached] = [0, 0, 0, 0];
  for (let index = 0; index < seeds.count; index++) {
    const seed = seeds.first + index;
    const played = await play(seed, options, scenario, index < verify);
    const again = played.failed || index < verify ? await play(seed, options, scenario, true) : undefined;
    const failure = failureOf(played, again, seeds, options);
    if (failure !== undefined) throw calledBy(callers(), failure);
    const { sim } = played;
    hashes.set(seed, sim.trace.hash);
    virtualTime += sim.now();
    observations += sim.trace.count;
    unreached += sim.planned;
    for (const runner of sim.runners) jobs += runner.calls.submitted;
    for (const [name, count] of played.sometimes) sometimes.set(name, (sometimes.get(name) ?? 0) + count);
  }
  return { seeds: seeds.count, virtualTime, jobs, observations, unreached, sometimes, hashes };
}

function check(options: SimulateOptions, scenario: Scenario): void {
  checkOptions("simulate", options, RULES);
  if (typeof scenario !== "function") throw new TypeError("simulate: expected a function that plays the scenario");
  if (options.network?.faults === "lossy")
    throw new TypeError(
      'simulate: runners refuse workers on a "lossy" network, so nothing would happen on one: use it with FaultyNetwork alone',
    );
}

/** `compared`: it is kept what another run of the same seed is held against. */
async function play(seed: number, options: SimulateOptions, scenario: Scenario, compared: boolean): Promise<Played> {
  const { network, stuckAfter, shuffle } = options;
  let sometimes: ReadonlyMap<string, number> = new Map();
  const sim = new Simulation(seed, { network, stuckAfter, shuffle }, (violation) => {
    const checkers = allCheckers(violation);
    sometimes = checkers.sometimes.counts;
    return checkers.all;
  });
  if (compared) sim.trace.keepFirst();
  try {
    await sim.play(scenario);
    return { sim, error: undefined, failed: false, sometimes };
  } catch (error) {
    return { sim, error, failed: true, sometimes };
  }
}

/** The environment's seed goes before the options': it is set to look for one failure. */
function seedsOf({ seeds = SEEDS, from: first = 1 }: SimulateOptions): Seeds {
  const { process } = globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } };
  const asked = process?.env?.["POWERHOSE_SEED"];
  if (asked !== undefined && asked !== "") {
    if (!/^\d{1,15}$/.test(asked))
      throw new RangeError(`POWERHOSE_SEED is a whole number of at most 15 digits, not ${JSON.stringify(asked)}`);
    return { first: Number(asked), count: 1 };
  }
  if (seeds - 1 > Number.MAX_SAFE_INTEGER - first)
    throw new RangeError(`simulate: the last of ${seeds} seeds from ${first} is beyond ${Number.MAX_SAFE_INTEGER}`);
  return { first, count: seeds };
}

function failureOf(
  played: Played,
  again: Played | undefined,
  seeds: Seeds,
  options: SimulateOptions,
): SimulationError | undefined {
  const { sim } = played;
  const parted = again !== undefined && (again.sim.trace.hash !== sim.trace.hash || again.failed !== played.failed);
  if (!played.failed && !parted) return undefined;
  const which = `seed ${sim.seed}${outOf(seeds)}`;
  const parting = parted ? partingLines(sim.trace, again.sim.trace) : [];
  if (played.failed) {
    const doubts = parted ? [`Played again, the same seed went another way. ${NOT_THE_SEED}.`, ...parting] : [];
    return makeError(`${which} failed at ${formatTime(sim.now())}`, doubts, played, options);
  }
  const second = again?.failed === true ? "it failed" : "other things happened";
  const headline = `${which} was played twice, and the second time ${second}`;
  return makeError(headline, [`${NOT_THE_SEED}.`, ...parting], again ?? played, options);
}

/** Which of how many seeds. */
function outOf({ first, count }: Seeds): string {
  if (count === 1) return "";
  return first === 1 ? ` of ${count}` : ` of ${first} to ${first + count - 1}`;
}

function makeError(
  headline: string,
  doubts: readonly string[],
  { sim, failed, error }: Played,
  { logLines = LOG_LINES }: SimulateOptions,
): SimulationError {
  const log = sim.trace.lines(logLines);
  const thrown = failed ? { error } : undefined;
  const { seed, planned: unreached } = sim;
  const text = failureReport({ headline, seed, doubts, thrown, unreached, log: logLines === 0 ? undefined : log });
  return new SimulationError(text, sim.seed, log, failed ? { cause: error } : undefined);
}

/** The callers of a function, as lines of a stack: taken now, as they are lost behind an `await`. Empty where the host has none. */
function stackAbove(fn: (...args: never) => unknown): () => string {
  const place: { readonly stack?: unknown } = {};
  const { captureStackTrace } = Error as { readonly captureStackTrace?: (target: object, above: unknown) => void };
  captureStackTrace?.(place, fn);
  return () => (typeof place.stack === "string" ? place.stack.slice(place.stack.indexOf("\n") + 1) : "");
}

/** The error with the stack of the call of `simulate`: its own stack shows only how a simulation is played. */
function calledBy(callers: string, error: SimulationError): SimulationError {
  if (callers !== "") error.stack = `${error.name}: ${error.message}${callers}`;
  return error;
}
