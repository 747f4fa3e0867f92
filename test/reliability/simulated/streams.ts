/**
 * Streams of items among faults. Their readers read at any pace, and leave at any time. Each item names its job, its run and its
 * place, so that every reader can tell a gap, an item twice, and items of two attempts; each handler knows what was read, so that
 * it can tell a window that does not hold, and a second attempt after an item was read.
 */
import { PowerhoseError, TimeoutError } from "../../../src/core/errors.ts";
import type { PayloadStream } from "../../../src/core/job/payload-stream.ts";
import { ITEM_COST } from "../../../src/core/protocol/constants.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import type { SimulatedRunner } from "../../../src/testing/simulation/simulated-runner.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { FAULTS } from "./faults.ts";

/** When the faults are over, in ms. */
const CALM_AT = 1_500;
const WINDOWS = [1, 500, 4_000, 65_536];

class AbortedHere extends Error {}

/** What a world is like, and what happened in it. */
interface Scene {
  readonly hasFaults: boolean;
  readonly isRelayed: boolean;
  /** Counts what is rare. */
  readonly count: (what: string) => void;
}

/** One stream, as its reader and its handlers see it together. */
interface Story {
  readonly count: number;
  readonly bytes: number;
  readonly window: number;
  /** Runs of its handler. */
  runs: number;
  /** Items read, and of which run. */
  read: number;
  run: number;
  /** Items that this run has given. */
  given: number;
}

/** The streams of one world. */
class Library {
  readonly #sim: Simulation;
  readonly #stories: Story[] = [];
  /** Generators that have begun and not ended, each by its job. */
  readonly #open = new Map<object, string>();

  readonly #scene: Scene;

  constructor(sim: Simulation, scene: Scene) {
    this.#sim = sim;
    this.#scene = scene;
  }

  /** What a job is: which story, and how its items come. */
  readonly handler: Handler = ({ data }, context) => {
    const [index, manner = ""] = String(data).split(" ");
    const story = this.#stories[Number(index)];
    if (story === undefined) throw new Error(`no story ${index}`);
    if (story.read > 0)
      throw new Violated("never-restarted", `${String(data)} begins again, and ${story.read} items were read`);
    const run = ++story.runs;
    story.given = 0;
    if (context.wantsProgress) context.progress(`run ${run}`);
    return manner === "plain" ? `run ${run}` : this.#items(story, run, String(data), manner, context.signal);
  };

  async *#items(
    story: Story,
    run: number,
    name: string,
    manner: string,
    signal: AbortSignal,
  ): AsyncGenerator<string, string> {
    const key = {};
    this.#open.set(key, name);
    try {
      for (let n = 0; n < story.count; n++) {
        if (manner === "slow") await this.#sim.sleep(this.#sim.rng.random() * 20, signal);
        if (manner === "throw" && n === story.count >> 1) throw new Error("thrown");
        this.#checkWindow(story, run, name);
        yield `${name}/${run}/${n}/`.padEnd(story.bytes, ".");
      }
      return `end of ${run}`;
    } finally {
      this.#open.delete(key);
    }
  }

  /** What this run has given and nobody has read: less than the window before each item. */
  #checkWindow(story: Story, run: number, name: string): void {
    if (run !== story.runs) return;
    const unread = (story.given - story.read) * (story.bytes + ITEM_COST);
    if (unread >= story.window)
      throw new Violated("within-window", `${name} has ${unread} bytes unread of ${story.window}`);
    story.given++;
  }

  /** Opens one and reads it. */
  async tell(runner: SimulatedRunner): Promise<void> {
    const { rng } = this.#sim;
    const story: Story = {
      count: rng.pick([0, 1, 5, 40]),
      bytes: rng.pick([30, 200, 2_000]),
      window: rng.pick(WINDOWS),
      runs: 0,
      read: 0,
      run: 0,
      given: 0,
    };
    const index = this.#stories.push(story) - 1;
    const manner = rng.pick(["quick", "slow", "throw", "plain"]);
    const abort = rng.below(6) === 0 ? new AbortController() : undefined;
    if (abort !== undefined) this.#sim.at(this.#sim.now() + rng.random() * 200, () => abort.abort(new AbortedHere()));
    const limits = rng.below(5) === 0 ? { deadline: 500 } : {};
    const timeout = rng.pick([60, 1_000]);
    const options = { streamWindow: story.window, timeout, ...limits, ...(abort && { signal: abort.signal }) };
    const listens = rng.below(2) === 0 ? { onProgress: () => undefined } : {};
    const name = `${index} ${manner}`;
    try {
      const opened = await runner.open(name, { ...options, ...listens });
      if (typeof opened !== "string" && "next" in opened) await this.#read(story, opened, name);
      else if (manner !== "plain") throw new Violated("stream-or-value", `${name} gave a value`);
    } catch (error) {
      // The silence of a slow handler may be long, and behind a relay a job may wait.
      const isTight = timeout < 1_000 && (manner === "slow" || this.#scene.isRelayed);
      this.#checkError(error, this.#scene.hasFaults || isTight, name);
      if (story.read > 0) this.#scene.count("stream failed under its reader");
    }
    if (story.runs > 1) this.#scene.count("stream tried again");
  }

  /** Without faults nothing fails by itself: a reader that takes its time costs nobody an attempt. */
  #checkError(error: unknown, mayFail: boolean, name: string): void {
    checkExpected(error);
    const isOwn = !(error instanceof PowerhoseError) || error.code === "EXECUTION" || error.code === "ABORTED";
    const isDeadline = error instanceof TimeoutError && error.kind === "deadline";
    if (!mayFail && !isOwn && !isDeadline) throw new Violated("fails-for-a-reason", `${name}: ${String(error)}`);
  }

  async #read(story: Story, stream: PayloadStream, name: string): Promise<void> {
    const { rng } = this.#sim;
    const pause = rng.pick([0, 20, 100, 150]);
    const leavesAfter = rng.below(4) === 0 ? rng.below(story.count + 1) : Number.POSITIVE_INFINITY;
    for (;;) {
      if (pause > 0) await this.#sim.sleep(rng.random() * pause);
      if (story.read >= leavesAfter) return this.#leave(stream, name);
      const { done, value } = await stream.next();
      if (done === true) return this.#checkEnd(story, value, name);
      const [job, run, place] = String(value).split("/");
      story.run ||= Number(run);
      if (job !== name || Number(run) !== story.run || Number(place) !== story.read)
        throw new Violated("in-order", `${name} reads ${job}/${run}/${place} after ${story.read} of run ${story.run}`);
      story.read++;
    }
  }

  async #leave(stream: PayloadStream, name: string): Promise<void> {
    await stream.return();
    this.#scene.count("stream left");
    if ((await stream.next()).done !== true) throw new Violated("nothing-after-end", `${name} goes on`);
  }

  #checkEnd({ read, count, run }: Story, value: unknown, name: string): void {
    if (read !== count || (read > 0 && value !== `end of ${run}`))
      throw new Violated(
        "ends-at-its-end",
        `${name} ends with ${String(value)} after ${read} of ${count} items of run ${run}`,
      );
  }

  /** Generators that nobody ends any more. */
  get left(): readonly string[] {
    return [...this.#open.values()];
  }
}

class Violated extends Error {
  constructor(law: string, what: string) {
    super(`${law}: ${what}`);
  }
}

function checkExpected(error: unknown): void {
  if (error instanceof Violated || !(error instanceof PowerhoseError || error instanceof AbortedHere)) throw error;
  // What a handler has found reaches its caller as an error of the handler.
  const law = /\b(never-restarted|within-window): .*/.exec(error.message);
  if (law !== null) throw new Error(law[0]);
}

/** Plays one such world. */
export async function streams(sim: Simulation, count: (fault: string) => void): Promise<void> {
  const { rng } = sim;
  sim.network.setLatency(
    ...rng.pick<readonly [number, number]>([
      [0, 0],
      [1, 2],
      [0, 10],
    ]),
  );
  const options = { heartbeat: 200, cancelGrace: 50, helloTimeout: 200, acquireTimeout: 5_000, attempts: 4 };
  const maxStreamBytes = rng.pick([1, 10_000, 1_000_000]);
  const runner = sim.runner({ ...options, maxStreamBytes, prefetch: rng.pick<"auto" | number>(["auto", 0, 4]) });
  const capacity = 1 + rng.below(4);
  const isRelayed = rng.below(3) === 0;
  const hasFaults = rng.below(2) > 0;
  const library = new Library(sim, { hasFaults, isRelayed, count });
  if (isRelayed) sim.relay("host", { to: runner.name, runner: options });
  const to = isRelayed ? "host" : runner.name;
  const workers = Array.from({ length: 1 + rng.below(3) }, (_, i) =>
    sim.worker(`w${i}`, library.handler, { to, capacity, blocking: rng.below(2) === 0 }),
  );
  if (hasFaults) {
    const faults = FAULTS.filter(() => rng.below(2) === 0);
    sim.injectFaults({ until: CALM_AT, every: 150, lasts: 300, faults: faults.length > 0 ? faults : ["cut"] });
  }
  await Promise.all(
    Array.from({ length: 25 }, async () => {
      await sim.sleep(rng.random() * CALM_AT);
      await library.tell(runner);
    }),
  );
  await sim.sleep(60_000);
  if (runner.stats().streamBytes > 0)
    throw new Error(`budget-given-back: ${runner.stats().streamBytes} bytes are left`);
  // A crash takes its generators with it; without one, each has ended.
  if (!hasFaults && library.left.length > 0) throw new Error(`generators-end: ${library.left.join(", ")}`);
  await Promise.all(workers.map((worker) => worker.stop()));
  count("streams");
}
