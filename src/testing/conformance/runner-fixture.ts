/** What the runner's laws are played on: a started runner with all its workers there. Knows no law. */
import { JobRunner, type RunnerStats } from "../../index.ts";
import { expectFields, show } from "./expectation.ts";
import type { FleetFactory, FleetRig } from "./fleet-harness.ts";
import { expectNoTimers } from "./test-time.ts";

/** What a law sees. */
export interface Scene {
  /** The fleet. */
  readonly rig: FleetRig;
  /** Started, on the fleet's listener and clock. */
  readonly runner: JobRunner;
}

/** The workers a law wants. */
export interface Crew {
  /** How many there are. */
  readonly workers: number;
  /** Jobs each takes at a time. */
  readonly capacity: number;
}

const NOTHING_LEFT: Partial<RunnerStats> = {
  workers: [],
  pending: 0,
  queued: 0,
  running: 0,
  backoff: 0,
  queuedBytes: 0,
};

async function stop({ rig, runner }: Scene): Promise<void> {
  try {
    await rig.settle(runner.stop());
    expectFields(runner.stats(), NOTHING_LEFT, "what is left when the runner has stopped");
  } finally {
    await rig[Symbol.asyncDispose]();
  }
  expectNoTimers(rig.clock);
}

async function assemble({ rig, runner }: Scene, { workers, capacity }: Crew): Promise<void> {
  await rig.settle(runner.start());
  await rig.join(workers, capacity);
  try {
    await rig.until(() => runner.workers.size === workers);
  } catch (cause) {
    throw new Error(`waited in vain for ${workers} workers; ${runner.workers.size} have registered`, { cause });
  }
}

/** Plays one law on a scene of its own. What the law found goes before what the taking down finds. */
export async function playScene(
  fleet: FleetFactory,
  crew: Crew,
  check: (scene: Scene) => Promise<void>,
): Promise<void> {
  const rig = await fleet(crew.workers, crew.capacity);
  const scene = { rig, runner: new JobRunner({ clock: rig.clock, listen: rig.listener }) };
  try {
    await assemble(scene, crew);
    await check(scene);
  } catch (error) {
    await stop(scene).catch(() => undefined);
    throw error;
  }
  await stop(scene);
}

/** Waits for what a law cannot go on without; when it fails, the error says what it was. */
export async function answered<T>({ rig }: Scene, answer: Promise<T>, what: string): Promise<T> {
  try {
    return await rig.settle(answer);
  } catch (cause) {
    throw new Error(`${what}: ${cause instanceof Error ? cause.message : show(cause)}`, { cause });
  }
}

/** Waits until so many jobs are with workers. */
export async function running({ rig, runner }: Scene, count: number): Promise<void> {
  await rig.until(() => runner.stats().running === count);
}
