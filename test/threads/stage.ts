/** What the tests of the threads share: the handler's module, and looking at what happened. */
import { systemClock, JobRunner, type RunnerEvent, type RunnerOptions } from "powerhose";
import { threads, type ThreadsOptions } from "powerhose/threads";

/** A module whose default export does what its jobs say. */
export const commands: URL = new URL("./fixtures/commands.js", import.meta.url);

/** A module of its own, in a URL. */
export function inline(source: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

/** Two counters that the threads see too. */
export function sharedCounter(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** A started runner over threads, with what it has told. */
export interface Stage extends AsyncDisposable {
  readonly runner: JobRunner;
  readonly events: readonly RunnerEvent[];
}

/** How a stage is set up. */
export interface StageOptions extends ThreadsOptions {
  readonly module?: URL | string;
  readonly runner?: RunnerOptions;
}

/** Threads by the rules of the tests: one, unless said otherwise, and quick to come back. */
export async function setUp(options: StageOptions = {}): Promise<Stage> {
  const { module = commands, runner: runnerOptions, ...rest } = options;
  const listen = threads(module, { size: 1, restartMin: 1, restartMax: 20, ...rest });
  const runner = new JobRunner({ listen, ...runnerOptions });
  const events: RunnerEvent[] = [];
  runner.on((event) => events.push(event));
  await runner.start();
  return { runner, events, [Symbol.asyncDispose]: () => runner.stop() };
}

const PATIENCE = 100_000;

/** Waits until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  const giveUp = systemClock.now() + PATIENCE;
  while (!condition()) {
    if (systemClock.now() > giveUp) throw new Error(`still not so after ${PATIENCE} ms: ${condition.toString()}`);
    await new Promise((resolve) => void systemClock.set(2, () => resolve(undefined), true));
  }
}

/** What a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const value = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (value instanceof Error) return value;
  throw new Error("it did not fail");
}
