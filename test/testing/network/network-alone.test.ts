/** A simulated network under a plain runner and plain workers, moved by hand: no simulation around it. */
import { describe, expect, it } from "vitest";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { FaultyNetwork } from "../../../src/testing/network/network.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { watch } from "../../support/stage.ts";

/** A runner and a worker; disposing stops both and sees that nothing is left. */
class Pair {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: FaultyNetwork;
  readonly runner: JobRunner;
  readonly worker: Worker;

  constructor(handler: Handler) {
    const { clock } = this;
    const random = new SeededRandom(1);
    this.network = new FaultyNetwork({ clock, random: random.stream("network"), latency: [5, 20] });
    this.runner = new JobRunner({ clock, random, listen: this.network.listen("runner") });
    this.worker = new Worker({ clock, random, dial: this.network.dialer("w1", "runner"), handler });
  }

  async start(): Promise<this> {
    const started = Promise.all([this.runner.start(), this.worker.start()]);
    await this.clock.advance(100);
    await started;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = Promise.all([this.worker.stop(), this.runner.stop()]);
    await this.clock.advance(1_000);
    await stopped;
    expect([this.clock.pending, this.network.connections]).toEqual([0, 0]);
  }
}

describe("a plain runner and a plain worker", () => {
  it("work over it", async () => {
    await using pair = await new Pair((job) => `${String(job.data)}!`).start();
    const answer = watch(pair.runner.execute("hello"));
    await pair.clock.advance(9);
    expect(answer.state).toBe("pending");
    await pair.clock.advance(50);
    expect(answer.value).toBe("hello!");
  });

  it("find each other again after a partition", async () => {
    await using pair = await new Pair((job) => `${String(job.data)}!`).start();
    pair.network.partition("w1", "runner");
    await pair.clock.advance(20_000);
    expect(pair.runner.stats().workers).toEqual([]);
    const answer = watch(pair.runner.execute("hello", { acquireTimeout: 60_000 }));
    pair.network.heal();
    await pair.clock.advance(60_000);
    expect(answer.value).toBe("hello!");
  });

  it("run the job again when the connection is cut in the middle of it", async () => {
    let runs = 0;
    await using pair = await new Pair(() => {
      if (++runs === 1) pair.network.cut("w1");
      return String(runs);
    }).start();
    const answer = watch(pair.runner.execute("job"));
    await pair.clock.advance(60_000);
    expect(["1", "2"]).toContain(answer.value);
    expect(pair.runner.stats().workers).toHaveLength(1);
  });
});
