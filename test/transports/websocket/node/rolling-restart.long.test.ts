/** A runner that is restarted again and again while its callers go on: with default options no call fails that has time left. */
import { expect, test } from "vitest";
import { JobRunner, Worker } from "powerhose";
import { dialWebSocket, listenWebSocket } from "powerhose/websocket/node";

const ROUNDS = 4;
const CALLS = 20;

test.each(["drains", "stops"] as const)(
  "a runner that %s and begins again finds its workers back in time",
  async (how) => {
    const first = listenWebSocket({ port: 0 });
    let runner = new JobRunner({ listen: first });
    await runner.start();
    const { port } = new URL(first.address);
    const workers = Array.from(
      { length: 3 },
      () => new Worker({ dial: dialWebSocket(first.address), handler: ({ data }) => `done: ${String(data)}` }),
    );
    await Promise.all(workers.map((worker) => worker.start()));
    const results: unknown[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const calls = Array.from({ length: CALLS }, (_, n) => runner.execute(`${round}.${n}`));
      results.push(...(await Promise.all(calls)));
      await (how === "drains" ? runner.drain() : runner.stop());
      runner = new JobRunner({ listen: listenWebSocket({ port: Number(port) }) });
      await runner.start();
    }
    const last = await Promise.all(Array.from({ length: CALLS }, (_, n) => runner.execute(`last.${n}`)));
    await Promise.all(workers.map((worker) => worker.stop()));
    await runner.stop();
    expect(results).toEqual(
      Array.from({ length: ROUNDS * CALLS }, (_, i) => `done: ${Math.floor(i / CALLS)}.${i % CALLS}`),
    );
    expect(last).toHaveLength(CALLS);
  },
);
