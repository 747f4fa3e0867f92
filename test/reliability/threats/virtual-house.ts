/** A runner on virtual time with scripted workers, for rows that are about answers and not about a transport. */
import type { RunnerEvent } from "../../../src/core/events.ts";
import type { HelloMessage } from "../../../src/core/protocol/message.ts";
import type { Payload } from "../../../src/core/peer.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../../src/core/runner/runner-options.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";

/** What became of a call: its value, or what it failed with. */
export interface Outcome {
  value?: Payload;
  error?: unknown;
}

/** The runner and its workers. */
export class VirtualHouse {
  readonly clock: VirtualClock = new VirtualClock();
  readonly runner: JobRunner;
  readonly events: RunnerEvent[] = [];
  readonly #entropy = new SeededRandom(1);
  readonly #workers: Worker[] = [];

  private constructor(options: RunnerOptions) {
    this.runner = new JobRunner({ clock: this.clock, random: this.#entropy, ...options });
    this.runner.on((event) => void this.events.push(event));
  }

  /** Starts one. */
  static async open(options: RunnerOptions = {}): Promise<VirtualHouse> {
    const house = new VirtualHouse(options);
    await house.settle(house.runner.start());
    return house;
  }

  /** A scripted worker that has registered. */
  async peer(over: Partial<HelloMessage> = {}): Promise<ScriptedPeer> {
    const peer = await this.connection();
    peer.send(hello(over));
    await this.clock.settle();
    return peer;
  }

  /** A scripted connection that has said nothing. */
  async connection(): Promise<ScriptedPeer> {
    return new ScriptedPeer(await this.settle(this.runner.dial(new AbortController().signal)));
  }

  /** An honest worker. */
  async worker(handler: Handler, identity: string = "honest"): Promise<Worker> {
    const { clock, runner } = this;
    const worker = new Worker({ dial: runner, clock, random: this.#entropy, handler, identity });
    this.#workers.push(worker);
    await this.settle(worker.start());
    return worker;
  }

  /** Submits a job; what becomes of it is filled in later. */
  async execute(...how: Parameters<JobRunner["execute"]>): Promise<Outcome> {
    const outcome: Outcome = {};
    this.runner.execute(...how).then(
      (value) => void (outcome.value = value),
      (error: unknown) => void (outcome.error = error),
    );
    await this.clock.settle();
    return outcome;
  }

  /** Lets everything that is due happen, and waits for a promise. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined); // it may fail while the clock settles; the return hands that on
    await this.clock.settle();
    return promise;
  }

  /** Who has gone, and why. */
  get gone(): string[] {
    return this.events.flatMap((event) => (event.type === "worker-gone" ? [`${event.identity} ${event.reason}`] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await this.settle(worker.stop());
    const stopped = this.runner.stop();
    await this.clock.advance(2_000);
    await stopped;
    if (this.clock.pending > 0) throw new Error(`${this.clock.pending} timers are left`);
  }
}
