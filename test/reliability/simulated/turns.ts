/**
 * Several runners at workers that listen. Jobs of all of them among faults first; then, all healed, equal demand of each: their
 * shares are within 20 % of each other, none waits longer than its share explains, and waiting there is no retry.
 */
import { PowerhoseError } from "../../../src/core/errors.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import type { SimulatedRunner } from "../../../src/testing/simulation/simulated-runner.ts";
import type { SimulatedWorker } from "../../../src/testing/simulation/simulated-worker.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { FAULTS } from "./faults.ts";

/** When the faults are over, in ms. */
const CALM_AT = 1_500;
/** How long it takes until all are back, in ms: pauses before a dial, dials into silence, handlers that ignore their aborts. */
const RECOVERY = 60_000;
/** Jobs that each caller of the equal demand has run. */
const ROUNDS = 25;

/** What a job takes is its data: so many ms, and whether its handler hears its abort. */
function handlerOf(sim: Simulation): Handler {
  return async ({ data }, { signal }) => {
    const [takes, manner] = String(data).split(" ");
    if (manner === "throw") throw new Error("thrown");
    await sim.sleep(Number(takes), manner === "polite" ? signal : undefined);
    return `${takes} ms`;
  };
}

/** The runners of one world, and the workers they share. */
class Hall {
  readonly #sim: Simulation;
  readonly #workers: readonly SimulatedWorker[];
  readonly #runners: readonly SimulatedRunner[];
  /** What a job takes, in ms. */
  readonly #pace: number;

  constructor(sim: Simulation) {
    const { rng } = sim;
    this.#sim = sim;
    this.#pace = rng.pick([5, 20, 100]);
    sim.network.setLatency(
      ...rng.pick<readonly [number, number]>([
        [0, 0],
        [1, 2],
        [0, 10],
      ]),
    );
    const capacity = 1 + rng.below(4);
    this.#workers = Array.from({ length: 1 + rng.below(2) }, (_, i) =>
      sim.worker(`w${i}`, handlerOf(sim), { listens: true, capacity, blocking: rng.below(2) === 0 }),
    );
    const to = this.#workers.map(({ name }) => name);
    const options = { to, heartbeat: 200, cancelGrace: 50, helloTimeout: 200, acquireTimeout: 5_000, attempts: 5 };
    const prefetch = rng.pick<"auto" | number>(["auto", 0, 4]);
    this.#runners = Array.from({ length: 2 + rng.below(3) }, (_, i) =>
      sim.runner({ ...options, prefetch, name: `runner${i}`, timeout: rng.pick([2, 10]) * this.#pace }),
    );
  }

  /** Calls at any time, of any kind, among faults. */
  async storm(): Promise<void> {
    const sim = this.#sim;
    const { rng } = sim;
    if (rng.below(4) > 0) {
      const faults = FAULTS.filter(() => rng.below(2) === 0);
      sim.injectFaults({ until: CALM_AT, every: 100, lasts: 400, faults: faults.length > 0 ? faults : ["cut"] });
    }
    const calls = this.#runners.flatMap((runner) =>
      Array.from({ length: 25 }, async () => {
        await sim.sleep(rng.random() * CALM_AT);
        const manner = rng.pick(["ok", "ok", "polite", "throw"]);
        const abort = rng.below(6) === 0 ? new AbortController() : undefined;
        const limits = rng.below(6) === 0 ? { queueTimeout: 3 * this.#pace } : {};
        const takes = rng.random() * 2 * this.#pace;
        const call = runner.execute(`${takes} ${manner}`, { ...limits, ...(abort && { signal: abort.signal }) });
        if (abort !== undefined) sim.at(sim.now() + rng.random() * this.#pace, () => abort.abort(new AbortedHere()));
        await call.catch(checkExpected);
      }),
    );
    await Promise.all(calls);
    await sim.sleep(Math.max(0, CALM_AT + RECOVERY - sim.now()));
  }

  /** Equal demand of all runners. */
  async compete(): Promise<void> {
    const sim = this.#sim;
    const slots = this.#runners[0]?.stats().capacity ?? 0;
    const callers = slots + 1 + sim.rng.below(4);
    const before = this.#runners.map((runner) => runner.stats());
    const counts = this.#runners.map(() => 0);
    const longest = this.#runners.map(() => 0);
    const end = { hasCome: false };
    const calls = this.#runners.flatMap((runner, index) =>
      Array.from({ length: callers }, async () => {
        while (!end.hasCome) {
          const from = sim.now();
          await runner.execute(`${this.#pace} ok`, { timeout: 60_000 });
          longest[index] = Math.max(longest[index] ?? 0, sim.now() - from);
          if (!end.hasCome) counts[index] = (counts[index] ?? 0) + 1;
        }
      }),
    );
    const rounds = (ROUNDS * callers * this.#runners.length) / slots;
    await sim.sleep(rounds * (this.#pace + 10));
    end.hasCome = true;
    await Promise.all(calls);
    this.#checkShares(counts, callers);
    this.#checkWaits(longest, callers, slots);
    for (const [index, runner] of this.#runners.entries()) {
      const { retries, returned } = runner.stats();
      if (retries !== before[index]?.retries || returned !== before[index]?.returned)
        throw new Error(`refusals-are-no-retries: ${runner.name} counts ${retries} retries and ${returned} returned`);
    }
  }

  #checkShares(counts: readonly number[], callers: number): void {
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    // One round of all callers may be under way.
    if (most > 1.2 * least + callers) throw new Error(`equal-shares: ${counts.join(" : ")} jobs under equal demand`);
  }

  /** Behind all callers of all runners, twice over: a way there and back comes on top of each job. */
  #checkWaits(longest: readonly number[], callers: number, slots: number): void {
    const rounds = Math.ceil((callers * this.#runners.length) / slots) + 1;
    const limit = 2 * rounds * (this.#pace + 40);
    const worst = Math.max(...longest);
    if (worst > limit) throw new Error(`nobody-starves: a job took ${worst} ms, and its share explains ${limit} ms`);
  }
}

class AbortedHere extends Error {}

function checkExpected(error: unknown): void {
  if (!(error instanceof PowerhoseError || error instanceof AbortedHere)) throw error;
}

/** Plays one such world. */
export async function turns(sim: Simulation, count: (fault: string) => void): Promise<void> {
  const hall = new Hall(sim);
  await hall.storm();
  await hall.compete();
  count("storm");
}
