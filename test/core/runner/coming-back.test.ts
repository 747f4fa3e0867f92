/** A runner that restarts: its fleet is back soon, and no caller with time left notices. */
import { describe, expect, it } from "vitest";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Dialer } from "../../../src/core/transport/listener.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { watch } from "../../support/stage.ts";

const SEEDS = 20;

/** An address at which one runner after the other lives, and its fleet. */
class Town implements Dialer {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  runner: JobRunner | undefined;
  dials = 0;
  #fleet: Worker[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  dial(signal: AbortSignal): ReturnType<JobRunner["dial"]> {
    this.dials++;
    return this.runner === undefined ? Promise.reject(new Error("nothing listens there")) : this.runner.dial(signal);
  }

  async start(): Promise<JobRunner> {
    const { clock, random } = this;
    const runner = new JobRunner({ clock, random });
    const started = runner.start();
    await clock.settle();
    await started;
    this.runner = runner;
    return runner;
  }

  async stop(): Promise<void> {
    const stopped = this.runner?.stop();
    this.runner = undefined;
    await this.clock.settle();
    await stopped;
  }

  async workers(count: number): Promise<void> {
    const { clock, random } = this;
    this.#fleet = Array.from(
      { length: count },
      (_, n) => new Worker({ dial: this, handler: ({ data }) => data, identity: `w${n}`, clock, random }),
    );
    for (const worker of this.#fleet) void worker.start();
    await clock.settle();
  }

  get registered(): number {
    return this.runner?.stats().workers.length ?? 0;
  }

  async end(): Promise<void> {
    for (const worker of this.#fleet) void worker.stop();
    await this.stop();
    await this.clock.settle();
    expect(this.clock.pending).toBe(0);
  }
}

describe("a runner that was there and comes back", () => {
  it.each([500, 2_500, 12_000, 60_000, 600_000])("after %s ms has its fleet within 2 s", async (away) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const town = new Town(seed);
      await town.start();
      await town.workers(5);
      await town.clock.advance(1_000);
      await town.stop();
      await town.clock.advance(away);
      await town.start();
      await town.clock.advance(2_000);
      expect(town.registered, `seed ${seed}`).toBe(5);
      await town.end();
    }
  });

  it("restarts again and again, and with default options no call fails that has acquireTimeout left", async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const town = new Town(seed);
      await town.start();
      await town.workers(3);
      for (const up of [60_000, 15_000, 12_000]) {
        await town.clock.advance(up);
        await town.stop();
        await town.clock.advance(2_500);
        const runner = await town.start();
        const call = watch(runner.execute("x"));
        await town.clock.advance(4_999);
        expect([call.state, call.value], `seed ${seed}`).toEqual(["ok", "x"]);
      }
      await town.end();
    }
  });

  it("is not dialled in a loop when it kicks each worker", async () => {
    const town = new Town(1);
    const runner = await town.start();
    runner.on((event) => {
      if (event.type === "worker-joined") runner.workers.delete(event.identity);
    });
    await town.workers(1);
    await town.clock.advance(600_000);
    // Full jitter up to 30 s: about one dial in 15 s.
    expect(town.dials).toBeLessThan(90);
    await town.end();
  });
});
