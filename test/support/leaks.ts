/**
 * Every test is a leak test: this file is a vitest setup file, and a test that leaves something behind fails with the
 * name of what it left. What a test file sets up in `beforeAll` belongs to the baseline of its tests.
 *
 * Seen: timers, also those that do not keep the process alive (by where they were set); worker threads (by where they
 * were started); and by their number the sockets, servers, ports, child processes and watchers that hold the process;
 * unhandled rejections, uncaught exceptions and process warnings. Not seen: a handle that was unref'd, other than a
 * timer or a thread, and timers of `node:timers/promises`, because the host does not list them.
 */
import { createRequire, syncBuiltinESMExports } from "node:module";
import type { Worker, WorkerOptions } from "node:worker_threads";
import { beforeEach } from "vitest";

/** How long a socket, a port or a thread may take to finish closing after the test, in ms. Only a leak waits this long. */
const GRACE = 10_000;
/** Turns of the event loop to look again at once, before looking every few milliseconds. */
const QUICK_TURNS = 20;

/**
 * Not the test's: standard streams, and requests that end by themselves. `Timeout` is counted by {@link trackTimers}
 * instead, because vitest's own reports ride on timers that come and go.
 */
const NOT_COUNTED: ReadonlySet<string> = new Set([
  "Timeout",
  "TTYWrap",
  "TickObject",
  "CloseReq",
  "FSReqCallback",
  "FSReqPromise",
  "WriteWrap",
  "ShutdownWrap",
  "ZlibTransform",
]);

/** Something that was started, and where. */
interface Started {
  readonly what: string;
  readonly stack: string;
  alive(): boolean;
}

/** What one process has once, however often this file is loaded: test files that share a process load it again each. */
interface Tracking {
  /** The real functions, from before they were replaced: the watch must not see itself. */
  readonly real: Pick<typeof globalThis, "setTimeout" | "setInterval" | "setImmediate">;
  /** All timers and threads started since tracking began that may still be alive. */
  readonly started: Set<Started>;
}

const TRACKING = Symbol.for("powerhose.leaks");

const known = Reflect.get(globalThis, TRACKING) as Tracking | undefined;
const tracking: Tracking = known ?? { real: { setTimeout, setInterval, setImmediate }, started: new Set() };
const { started } = tracking;
const { setTimeout: realSetTimeout, setInterval: realSetInterval, setImmediate: realSetImmediate } = tracking.real;

/** The first line of a stack that is neither this file's nor Node's. */
function place(stack: string): string {
  const lines = stack.split("\n").slice(1);
  const line = lines.find((text) => !text.includes("support/leaks.ts") && !text.includes("node:"));
  return line?.trim().replace(`${process.cwd()}/`, "") ?? "at an unknown place";
}

function remember(what: string, alive: () => boolean): void {
  if (started.size > 1_000) for (const old of started) if (!old.alive()) started.delete(old);
  started.add({ what, stack: new Error("started here").stack ?? "", alive });
}

/** Node marks a timer that has fired or was cleared; there is no public way to ask. */
function timerAlive(timer: object): boolean {
  return !("_destroyed" in timer && timer._destroyed === true);
}

/** Replaces the global timer functions by ones that remember what they set. */
function trackTimers(): void {
  const tracked = <F extends typeof realSetTimeout | typeof realSetInterval>(real: F, name: string): F =>
    // A proxy keeps the function's own properties, `util.promisify.custom` among them.
    new Proxy(real, {
      apply(target, self: unknown, args: unknown[]): unknown {
        const timer: unknown = Reflect.apply(target, self, args);
        if (typeof timer !== "object" || timer === null) return timer;
        const weak = new WeakRef(timer); // a pending timer is held by Node itself
        remember(`${name}(…, ${String(args[1])})`, () => {
          const current = weak.deref();
          return current !== undefined && timerAlive(current);
        });
        return timer;
      },
    });
  globalThis.setTimeout = tracked(realSetTimeout, "setTimeout");
  globalThis.setInterval = tracked(realSetInterval, "setInterval");
}

/** Replaces `Worker` of `node:worker_threads`: the host does not list threads among its active resources. */
function trackThreads(): void {
  const threads = createRequire(import.meta.url)("node:worker_threads") as { Worker: typeof Worker };
  threads.Worker = class extends threads.Worker {
    constructor(file: string | URL, options?: WorkerOptions) {
      super(file, options);
      let alive = true;
      this.once("exit", () => (alive = false));
      remember("worker thread", () => alive);
    }
  };
  syncBuiltinESMExports();
}

function countByType(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) {
    if (!NOT_COUNTED.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return counts;
}

function turn(): Promise<void> {
  return new Promise((resolve) => void realSetImmediate(resolve));
}

/** Compares what the process holds at two moments. One watch at a time: it knows the process, not the test. */
export class LeakWatch {
  readonly #baseline: ReadonlyMap<string, number> = countByType();
  readonly #before: ReadonlySet<Started> = new Set(started);
  readonly #trouble: string[] = [];
  readonly #onRejection = (reason: unknown): void => void this.#trouble.push(`unhandled rejection: ${String(reason)}`);
  readonly #onException = (error: Error): void => void this.#trouble.push(`uncaught exception: ${String(error)}`);
  readonly #onWarning = (warning: Error): void => void this.#trouble.push(`process warning: ${String(warning)}`);

  /** Starts watching: what is alive now is the baseline. */
  constructor() {
    process.on("unhandledRejection", this.#onRejection);
    process.on("uncaughtExceptionMonitor", this.#onException);
    process.on("warning", this.#onWarning);
  }

  /** Stops watching, waits up to `grace` ms for what is on its way out, and names what stayed; empty when all is gone. */
  async end(grace: number = GRACE): Promise<readonly string[]> {
    const giveUp = performance.now() + grace;
    await turn(); // rejections are reported after the turn they were left in
    for (let turns = 0; this.#held().length > 0 && performance.now() < giveUp; turns++) {
      if (turns < QUICK_TURNS) await turn();
      else await new Promise((resolve) => void realSetTimeout(resolve, 5));
    }
    process.off("unhandledRejection", this.#onRejection);
    process.off("uncaughtExceptionMonitor", this.#onException);
    process.off("warning", this.#onWarning);
    return [...this.#trouble, ...this.#held()];
  }

  #held(): string[] {
    const held: string[] = [];
    for (const entry of started) {
      if (!entry.alive()) started.delete(entry);
      else if (!this.#before.has(entry)) held.push(`${entry.what}, started ${place(entry.stack)}`);
    }
    for (const [type, count] of countByType()) {
      const extra = count - (this.#baseline.get(type) ?? 0);
      if (extra > 0) held.push(`${extra} × ${type}`);
    }
    return held;
  }
}

if (known === undefined) {
  Reflect.set(globalThis, TRACKING, tracking);
  trackTimers();
  trackThreads();
}

beforeEach((context) => {
  if (context.task.concurrent === true) throw new Error("concurrent tests would see each other's resources as leaks");
  const watch = new LeakWatch();
  // Registered first and so run last: after the test's own `afterEach` and `onTestFinished`.
  context.onTestFinished(async () => {
    const findings = await watch.end();
    if (findings.length > 0) throw new Error(`the test left behind:\n  ${findings.join("\n  ")}`);
  });
});
