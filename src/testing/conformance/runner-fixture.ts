/** The fixture of the runner's conformance cases: a started runner with all its workers registered. Knows no case. */
import { JobRunner, type RunnerStats } from "../../index.ts";
import { expectFields, show } from "./expectation.ts";
import type { FleetHarnessFactory, FleetHarness } from "./harness.ts";
import { expectNoTimers } from "./test-time.ts";

/** What a case sees. */
export interface RunnerFixture {
  /** The fleet. */
  readonly harness: FleetHarness;
  /** Started, on the fleet's listener and clock. */
  readonly runner: JobRunner;
}

/** The workers a case wants. */
export interface FleetSize {
  /** How many there are. */
  readonly workers: number;
  /** Jobs each takes at a time. */
  readonly capacity: number;
}

/** A case of the runner before it has a fleet. */
export interface RunnerCase extends FleetSize {
  readonly name: string;
  readonly check: (fixture: RunnerFixture) => Promise<void>;
  /** Why it does not hold behind a relay, if it is about sessions and not about jobs. */
  readonly onlyDirect?: string;
}

const NOTHING_LEFT: Partial<RunnerStats> = {
  workers: [],
  pending: 0,
  queued: 0,
  running: 0,
  backoff: 0,
  queuedBytes: 0,
  streamBytes: 0,
};

async function stop({ harness, runner }: RunnerFixture): Promise<void> {
  try {
    await harness.settle(runner.stop());
    expectFields(runner.stats(), NOTHING_LEFT, "what is left when the runner has stopped");
  } finally {
    await harness[Symbol.asyncDispose]();
  }
  expectNoTimers(harness.clock);
}

async function assemble({ harness, runner }: RunnerFixture, { workers, capacity }: FleetSize): Promise<void> {
  await harness.settle(runner.start());
  await harness.join(workers, capacity, runner);
  try {
    // Their slots, as one that is a relay stands for many.
    await harness.until(() => runner.stats().capacity === workers * capacity);
  } catch (cause) {
    throw new Error(`waited in vain for ${workers} workers; ${runner.workers.size} have registered`, { cause });
  }
}

/** Plays one case on a fixture of its own. An error of the case goes before one of the tear-down. */
export async function withRunner(
  fleet: FleetHarnessFactory,
  size: FleetSize,
  check: (fixture: RunnerFixture) => Promise<void>,
): Promise<void> {
  const harness = await fleet(size.workers, size.capacity);
  const fixture = { harness, runner: new JobRunner({ clock: harness.clock, listen: harness.listener }) };
  try {
    await assemble(fixture, size);
    await check(fixture);
  } catch (error) {
    await stop(fixture).catch(() => undefined);
    throw error;
  }
  await stop(fixture);
}

/** Waits for what a case cannot go on without; when it fails, the error says what it was. */
export async function answered<T>({ harness }: RunnerFixture, answer: Promise<T>, what: string): Promise<T> {
  try {
    return await harness.settle(answer);
  } catch (cause) {
    throw new Error(`${what}: ${cause instanceof Error ? cause.message : show(cause)}`, { cause });
  }
}

/** Waits until so many jobs are with workers. */
export async function running({ harness, runner }: RunnerFixture, count: number): Promise<void> {
  await harness.until(() => runner.stats().running === count);
}
