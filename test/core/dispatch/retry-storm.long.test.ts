/**
 * Everything at once, by seed: workers that come, go and retire, connections cut, processes that stand still, callers that
 * abort, hold workers and run out of time. After each step the books must balance; in the end every call has settled, every
 * worker is back and nothing is left. A failure names its seed.
 */
import { expect, it } from "vitest";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { type Watched, watch } from "../../support/stage.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

const SEEDS = 200;
const STEPS = 60;

/** One seed's world. What goes wrong is collected, not thrown: the world goes on. */
class Storm {
  readonly faults: string[] = [];
  readonly clock: VirtualClock = new VirtualClock();
  readonly #chance: SeededRandom;
  readonly #runner: JobRunner;
  readonly #workers: Worker[] = [];
  readonly #running = new Map<string, number>();
  readonly #calls: { readonly data: string; readonly outcome: Watched<unknown> }[] = [];
  #capacity = 0;

  constructor(seed: number) {
    this.#chance = new SeededRandom(seed * 7_919);
    const random = new SeededRandom(seed);
    const { clock } = this;
    const [heartbeat, cancelGrace] = [50 + this.#below(400), 1 + this.#below(100)];
    this.#runner = new JobRunner({ clock, random, heartbeat, cancelGrace, maxQueue: 30 });
    for (let i = 0; i < 1 + this.#below(3); i++) this.#addWorker(`w${i}`, random);
  }

  async run(): Promise<readonly string[]> {
    await this.#await(this.#runner.start());
    for (const worker of this.#workers) worker.start().catch(() => undefined);
    for (let step = 0; step < STEPS; step++) {
      await this.#step(step);
      await this.clock.settle();
      this.#checkBooks();
    }
    await this.#calm();
    return this.faults;
  }

  #below(limit: number): number {
    return this.#chance.u32() % limit;
  }

  #oneIn(n: number): boolean {
    return this.#below(n) === 0;
  }

  #addWorker(identity: string, random: SeededRandom): void {
    const capacity = 1 + this.#below(3);
    this.#capacity += capacity;
    const worker = new Worker({
      dial: this.#runner,
      clock: this.clock,
      random,
      identity,
      capacity,
      handler: this.#handler(identity, capacity),
      blocking: this.#oneIn(2),
      maxJobs: this.#oneIn(3) ? 1 + this.#below(5) : Number.POSITIVE_INFINITY,
      maxAge: this.#oneIn(3) ? 200 + this.#below(2_000) : Number.POSITIVE_INFINITY,
    });
    this.#workers.push(worker);
  }

  /** Takes its time and ends as the job says; a polite one ends when it is aborted. */
  #handler(identity: string, capacity: number): Handler {
    return (job, { signal }) => {
      const running = (this.#running.get(identity) ?? 0) + 1;
      this.#running.set(identity, running);
      if (running > capacity) this.faults.push(`${identity} runs ${running} at a time, not ${capacity}`);
      const [ms, how] = String(job.data).split(":");
      return new Promise((resolve, reject) => {
        const end = (settle: () => void): void => {
          this.#running.set(identity, (this.#running.get(identity) ?? 0) - 1);
          settle();
        };
        const timer = this.clock.set(Number(ms), () =>
          end(() => {
            if (how === "throw") reject(new Error("failed"));
            else if (how === "retry") reject(Object.assign(new Error("busy"), { retryable: true }));
            else resolve(String(job.data));
          }),
        );
        if (how !== "polite") return;
        signal.addEventListener("abort", () => {
          this.clock.clear(timer);
          end(() => reject(new Error("aborted")));
        });
      });
    };
  }

  async #step(step: number): Promise<void> {
    switch (this.#below(9)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#submit(step);
      case 4:
        return void this.#runner.workers.delete(`w${this.#below(3)}`);
      case 5:
        return this.#oneIn(4) ? this.clock.jump(this.#below(600)) : undefined;
      case 6:
        return this.#oneIn(3) ? this.#hold(step) : undefined;
      default:
        return this.clock.advance(this.#below(200));
    }
  }

  #submit(step: number): void {
    const how = ["ok", "throw", "retry", "polite"][this.#below(4)] ?? "ok";
    const data = `${this.#below(300)}:${how}:${step}`;
    const controller = new AbortController();
    const outcome = watch(
      this.#runner.execute(data, {
        timeout: 50 + this.#below(300),
        acquireTimeout: 200 + this.#below(2_000),
        deadline: this.#oneIn(3) ? 100 + this.#below(1_000) : Number.POSITIVE_INFINITY,
        queueTimeout: this.#oneIn(3) ? 50 + this.#below(1_000) : Number.POSITIVE_INFINITY,
        attempts: 1 + this.#below(4),
        signal: controller.signal,
        failFast: this.#oneIn(10),
      }),
    );
    this.#calls.push({ data, outcome });
    if (this.#oneIn(5)) this.clock.set(this.#below(300), () => controller.abort(new Error("changed my mind")));
  }

  #hold(step: number): void {
    const data = `${this.#below(50)}:ok:held ${step}`;
    const held = this.#runner.workers.getContext((worker) => worker.execute(data, { timeout: 100, deadline: 1_000 }), {
      timeout: 300,
    });
    this.#calls.push({ data, outcome: watch(held) });
  }

  #checkBooks(): void {
    const stats = this.#runner.stats();
    const { submitted, succeeded, failed, queued, running, backoff, workers } = stats;
    if (submitted !== succeeded + failed + queued + running + backoff) this.faults.push("the books do not balance");
    for (const { identity, inFlight, capacity } of workers) {
      if (inFlight > capacity) this.faults.push(`${identity} has ${inFlight} jobs for ${capacity} slots`);
    }
    const idle = workers.filter(({ state }) => state === "idle").length;
    if (queued > 0 && idle > 0) this.faults.push(`${queued} jobs wait beside ${idle} idle workers`);
  }

  /** The storm is over: everything settles, everybody comes back, nothing is left. */
  async #calm(): Promise<void> {
    await this.clock.advance(90_000);
    for (const { data, outcome } of this.#calls) {
      if (outcome.state === "pending") this.faults.push(`${data} never settled`);
      if (outcome.state === "ok" && outcome.value !== data) this.faults.push(`${data} got the result of another`);
    }
    for (const worker of this.#workers) {
      if (worker.state !== "registered") this.faults.push(`${worker.identity} is ${worker.state}`);
    }
    const { capacity } = this.#runner.stats();
    if (capacity !== this.#capacity) this.faults.push(`${capacity} slots of ${this.#capacity} are back`);
    for (const worker of this.#workers) await this.#await(worker.stop());
    await this.#await(this.#runner.stop());
    await this.clock.advance(1_000);
    if (this.clock.pending > 0) this.faults.push(`${this.clock.pending} timers are left`);
  }

  async #await(promise: Promise<void>): Promise<void> {
    await this.clock.settle();
    await promise;
  }
}

it(`survives ${SEEDS} storms`, { timeout: 120_000 }, async () => {
  const faults: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const fault of await new Storm(seed).run()) faults.push(`seed ${seed}: ${fault}`);
  }
  expect(faults).toEqual([]);
});
