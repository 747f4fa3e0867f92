/**
 * Streams that go into jobs, among faults, and streams out of them that go on in another attempt. Each item names its call, the
 * opening of its source and its place: handlers can tell a gap, an item twice and items of two openings; sources know what was
 * read, so that they can tell a window that does not hold.
 */
import { PowerhoseError, TimeoutError } from "../../../src/core/errors.ts";
import type { InputSource } from "../../../src/core/job/input-source.ts";
import type { PayloadStream } from "../../../src/core/job/payload-stream.ts";
import { ITEM_COST } from "../../../src/core/protocol/constants.ts";
import type { Handler, JobContext } from "../../../src/core/worker/execution.ts";
import type { SimulatedRunner } from "../../../src/testing/simulation/simulated-runner.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { FAULTS } from "./faults.ts";

/** When the faults are over, in ms. */
const CALM_AT = 1_500;
const WINDOWS = [1, 500, 4_000, 65_536];
const MANNERS = ["whole", "slow", "some", "none", "throw", "echo", "breaks"] as const;

class AbortedHere extends Error {}

class Violated extends Error {
  constructor(law: string, what: string) {
    super(`${law}: ${what}`);
  }
}

/** What a world is like, and what happened in it. */
interface Scene {
  readonly hasFaults: boolean;
  readonly isRelayed: boolean;
  readonly window: number;
  /** Counts what is rare. */
  readonly count: (what: string) => void;
}

/** One call, as its source, its handlers and its reader see it together. */
interface Story {
  readonly count: number;
  readonly bytes: number;
  readonly manner: (typeof MANNERS)[number];
  /** Whether its source is a function, so that there may be another attempt. */
  readonly isRepeatable: boolean;
  readonly resumes: boolean;
  /** Times its source was opened, and which of them handlers read now. */
  openings: number;
  closings: number;
  /** Items that this opening has given, and that were read of it. */
  given: number;
  read: number;
  /** Items out of it that its caller has. */
  delivered: number;
}

/** The calls of one world. */
class Library {
  readonly #sim: Simulation;
  readonly #stories: Story[] = [];
  readonly #scene: Scene;

  constructor(sim: Simulation, scene: Scene) {
    this.#sim = sim;
    this.#scene = scene;
  }

  readonly handler: Handler = ({ data }, context) => {
    const story = this.#stories[Number(data)];
    if (story === undefined) throw new Error(`no story ${String(data)}`);
    if (story.openings > 0 && !story.isRepeatable)
      throw new Violated("never-reopened", `${String(data)} begins again, and its source can be read once`);
    if (context.delivered > story.delivered || (!story.resumes && context.delivered > 0))
      throw new Violated("resumes-after-read", `${context.delivered} of ${story.delivered} items were read`);
    if (context.delivered > 0) this.#scene.count("stream resumed");
    return story.manner === "echo" || story.manner === "breaks"
      ? this.#echo(story, context)
      : this.#consume(story, context);
  };

  async *#echo(story: Story, context: JobContext): AsyncGenerator<string, string> {
    let place = 0;
    for await (const item of this.#items(story, context)) {
      if (place++ >= context.delivered) yield item;
      if (story.manner === "breaks" && context.attempt < 3 && place > story.count >> 1)
        throw Object.assign(new Error("broken off"), { retryable: true });
    }
    return `${place}`;
  }

  async #consume(story: Story, context: JobContext): Promise<string> {
    if (story.manner === "none") return "none";
    let read = 0;
    for await (const _item of this.#items(story, context)) {
      read++;
      if (read > story.count >> 1 && story.manner === "some") return "some";
      if (read > story.count >> 1 && story.manner === "throw")
        throw Object.assign(new Error("thrown"), { retryable: true });
    }
    return `${read}`;
  }

  /** What a handler reads, checked. */
  async *#items(story: Story, { input, signal }: JobContext): AsyncGenerator<string, void> {
    let opening = 0;
    let place = 0;
    for await (const item of input ?? []) {
      const [from, at] = String(item).split("/").map(Number);
      opening ||= from ?? 0;
      if (from !== opening || at !== place)
        throw new Violated("in-order", `${from}/${at} after ${place} items of opening ${opening}`);
      place++;
      if (opening === story.openings) story.read++;
      if (story.manner === "slow") await this.#sim.sleep(this.#sim.rng.random() * 20, signal);
      yield String(item).split("/", 3).slice(1).join("/");
    }
    if (place !== story.count) throw new Violated("ends-at-its-end", `${place} of ${story.count} items`);
  }

  async *#source(story: Story): AsyncGenerator<string, void> {
    const opening = ++story.openings;
    story.given = 0;
    story.read = 0;
    const pause = this.#sim.rng.pick([5, 15, 150]);
    try {
      for (let n = 0; n < story.count; n++) {
        if (this.#sim.rng.below(4) === 0) await this.#sim.sleep(this.#sim.rng.random() * pause);
        this.#checkWindow(story, opening);
        yield `${opening}/${n}/`.padEnd(story.bytes, ".");
      }
    } finally {
      story.closings++;
    }
  }

  /** What this opening has given and no handler has read: less than the window before each item. */
  #checkWindow(story: Story, opening: number): void {
    if (opening !== story.openings) return;
    const unread = (story.given - story.read) * (story.bytes + ITEM_COST);
    if (unread >= this.#scene.window)
      throw new Violated("within-window", `${unread} bytes unread of ${this.#scene.window}`);
    story.given++;
  }

  #made(): Story {
    const { rng } = this.#sim;
    return {
      count: rng.pick([0, 1, 5, 40]),
      bytes: rng.pick([30, 200, 2_000]),
      manner: rng.pick(MANNERS),
      isRepeatable: rng.below(2) === 0,
      resumes: rng.below(2) === 0,
      openings: 0,
      closings: 0,
      given: 0,
      read: 0,
      delivered: 0,
    };
  }

  /** Makes one call and looks at what comes of it. */
  async tell(runner: SimulatedRunner): Promise<void> {
    const { rng } = this.#sim;
    const story = this.#made();
    const name = `${this.#stories.push(story) - 1}`;
    const input: InputSource = story.isRepeatable ? () => this.#source(story) : this.#once(story);
    const abort = rng.below(6) === 0 ? new AbortController() : undefined;
    if (abort !== undefined) this.#sim.at(this.#sim.now() + rng.random() * 200, () => abort.abort(new AbortedHere()));
    const timeout = rng.pick([60, 1_000]);
    const options = { input, timeout, resume: story.resumes, ...(abort && { signal: abort.signal }) };
    try {
      const opened = await runner.open(name, options);
      if (typeof opened !== "string" && "next" in opened) await this.#read(story, opened, name);
      else this.#checkValue(story, String(opened), name);
    } catch (error) {
      const isTight = timeout < 1_000 && (story.manner === "slow" || this.#scene.isRelayed);
      this.#checkError(
        error,
        this.#scene.hasFaults || isTight || story.manner === "throw" || story.manner === "breaks",
        name,
      );
    }
    if (story.openings > 1) this.#scene.count("source opened again");
  }

  /** The generator begins only when it is asked for an item. */
  #once(story: Story): AsyncIterable<string> {
    return this.#source(story);
  }

  #checkValue({ count, manner }: Story, value: string, name: string): void {
    const expected = manner === "whole" || manner === "slow" ? `${count}` : undefined;
    if (expected !== undefined && value !== expected)
      throw new Violated("whole", `${name} read ${value} of ${count} items`);
  }

  #checkError(error: unknown, mayFail: boolean, name: string): void {
    if (error instanceof Violated || !(error instanceof PowerhoseError || error instanceof AbortedHere)) throw error;
    // What a handler has found reaches its caller as an error of the handler.
    const law = /\b(never-reopened|resumes-after-read|in-order|ends-at-its-end): .*/.exec(error.message);
    if (law !== null) throw new Error(law[0]);
    const isOwn = !(error instanceof PowerhoseError) || error.code === "ABORTED";
    const isDeadline = error instanceof TimeoutError && error.kind === "deadline";
    if (!mayFail && !isOwn && !isDeadline) throw new Violated("fails-for-a-reason", `${name}: ${String(error)}`);
  }

  async #read(story: Story, stream: PayloadStream, name: string): Promise<void> {
    const { rng } = this.#sim;
    const pause = rng.pick([0, 20, 100]);
    const leavesAfter = rng.below(4) === 0 ? rng.below(story.count + 1) : Number.POSITIVE_INFINITY;
    for (;;) {
      if (pause > 0) await this.#sim.sleep(rng.random() * pause);
      if (story.delivered >= leavesAfter) return void (await stream.return());
      const { done, value } = await stream.next();
      if (done === true) {
        if (story.delivered !== story.count)
          throw new Violated("ends-at-its-end", `${name} ends after ${story.delivered} of ${story.count}`);
        return;
      }
      if (Number(String(value).split("/")[0]) !== story.delivered)
        throw new Violated("in-order", `${name} gives ${String(value)} after ${story.delivered} items`);
      story.delivered++;
    }
  }

  /** Sources that were opened and not closed. */
  get left(): readonly string[] {
    return this.#stories.flatMap(({ openings, closings }, index) => (openings === closings ? [] : [`${index}`]));
  }
}

/** Plays one such world. */
export async function inputs(sim: Simulation, count: (fault: string) => void): Promise<void> {
  const { rng } = sim;
  sim.network.setLatency(
    ...rng.pick<readonly [number, number]>([
      [0, 0],
      [1, 2],
      [0, 10],
    ]),
  );
  const options = { heartbeat: 200, cancelGrace: 50, helloTimeout: 200, acquireTimeout: 5_000, attempts: 4 };
  const runner = sim.runner({ ...options, prefetch: rng.pick<"auto" | number>(["auto", 0, 4]) });
  const capacity = 1 + rng.below(4);
  const isRelayed = rng.below(3) === 0;
  const hasFaults = rng.below(2) > 0;
  const window = rng.pick(WINDOWS);
  const library = new Library(sim, { hasFaults, isRelayed, window, count });
  if (isRelayed) sim.relay("host", { to: runner.name, runner: options });
  const to = isRelayed ? "host" : runner.name;
  const workers = Array.from({ length: 1 + rng.below(3) }, (_, i) =>
    sim.worker(`w${i}`, library.handler, { to, capacity, inputWindow: window, blocking: rng.below(2) === 0 }),
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
  if (library.left.length > 0) throw new Error(`sources-end: those of ${library.left.join(", ")} are open`);
  await Promise.all(workers.map((worker) => worker.stop()));
  count("inputs");
}
