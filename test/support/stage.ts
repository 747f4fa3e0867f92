/** A runner on virtual time, with real and scripted workers in the same process. Disposing checks that nothing is left. Runs without a test runner, too. */
import assert from "node:assert/strict";
import type { RunnerEvent } from "../../src/core/events.ts";
import type { HelloMessage } from "../../src/core/protocol/message.ts";
import type { Payload } from "../../src/core/peer.ts";
import { JobRunner } from "../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../src/core/runner/runner-options.ts";
import type { Handler } from "../../src/core/worker/execution.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import type { WorkerOptions } from "../../src/core/worker/worker-options.ts";
import { hello, ScriptedPeer } from "./scripted-peer.ts";
import { SeededRandom } from "../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";

/** A handler whose runs the test ends by hand. */
export class Puppet {
  readonly runs: {
    data: Payload;
    signal: AbortSignal;
    end: (value: string) => void;
    fail: (error: unknown) => void;
  }[] = [];

  readonly handler: Handler = (job, { signal }) =>
    new Promise((end, fail) => {
      this.runs.push({ data: job.data, signal, end, fail });
    });
}

/** Which of its runner's jobs an id names, from 1. */
export function jobNumber({ jobId }: { readonly jobId: string }): number {
  return Number(jobId.slice(jobId.lastIndexOf(":") + 1));
}

/** What became of a promise, for looking at it while time is virtual. */
export interface Watched<T> {
  state: "pending" | "ok" | "failed";
  value: T | undefined;
  error: unknown;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = { state: "pending", value: undefined, error: undefined };
  promise.then(
    (value) => Object.assign(watched, { state: "ok", value }),
    (error: unknown) => Object.assign(watched, { state: "failed", error }),
  );
  return watched;
}

export class Stage {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly runner: JobRunner;
  readonly events: RunnerEvent[] = [];
  readonly #workers: Worker[] = [];

  /** @param beside - A stage of the same world: it shares its clock and its chance. */
  constructor(options: RunnerOptions = {}, beside?: Stage) {
    this.clock = beside?.clock ?? new VirtualClock();
    this.random = beside?.random ?? new SeededRandom(42);
    this.runner = new JobRunner({ clock: this.clock, random: this.random, ...options });
    this.runner.on((event) => this.events.push(event));
  }

  async worker(handler: Handler, options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const { clock, random, runner } = this;
    const worker = new Worker({ dial: runner, clock, random, handler, ...options });
    this.#workers.push(worker);
    await this.settle(worker.start());
    return worker;
  }

  /** A scripted worker that has registered. */
  async peer(over: Partial<HelloMessage> = {}): Promise<ScriptedPeer> {
    const peer = await this.connection();
    peer.send(hello(over));
    await this.clock.settle();
    return peer;
  }

  /** A scripted connection that has not said anything. */
  async connection(): Promise<ScriptedPeer> {
    return new ScriptedPeer(await this.runner.dial(new AbortController().signal));
  }

  async execute(...given: Parameters<JobRunner["execute"]>): Promise<Watched<Payload>> {
    const watched = watch(this.runner.execute(...given));
    await this.clock.settle();
    return watched;
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined);
    await this.clock.settle();
    return promise;
  }

  of<T extends RunnerEvent["type"]>(type: T): Extract<RunnerEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<RunnerEvent, { type: T }> => event.type === type);
  }

  /** The workers that are gone, each with the reason. */
  get gone(): string[] {
    return this.of("worker-gone").map(({ identity, reason }) => `${identity} ${reason}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await this.settle(worker.stop());
    await this.settle(this.runner.stop());
    const { workers, pending, queued, running, backoff, queuedBytes, streamBytes } = this.runner.stats();
    assert.deepEqual(
      { workers, pending, queued, running, backoff, queuedBytes, streamBytes },
      { workers: [], pending: 0, queued: 0, running: 0, backoff: 0, queuedBytes: 0, streamBytes: 0 },
    );
    assert.equal(this.clock.pending, 0, "timers left");
  }
}

/** A started stage. */
export async function stage(options?: RunnerOptions, beside?: Stage): Promise<Stage> {
  const made = new Stage(options, beside);
  await made.settle(made.runner.start());
  return made;
}
