/** The `headers` of a runner: on each job that a caller gives it. */
import { describe, expect, it } from "vitest";
import { RunnerStoppedError } from "../../../src/core/errors.ts";
import { Job } from "../../../src/core/job/job.ts";
import { withTasks } from "../../../src/core/worker/handler-lifecycle.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { type Stage, stage } from "../../support/stage.ts";

const told: Handler = ({ headers, task = "" }) => JSON.stringify([[...headers], task]);

async function outcomes(set: Stage, inputs: readonly (string | Job)[]): Promise<unknown[]> {
  const all: unknown[] = [];
  const reading = (async (): Promise<void> => {
    for await (const outcome of set.runner.map(inputs)) all.push(outcome.ok ? outcome.value : outcome.error);
  })();
  await set.settle(reading);
  return all;
}

describe("the headers of a runner", () => {
  it("are on each job, and the job's own win", async () => {
    let calls = 0;
    await using set = await stage({ headers: () => ({ n: String(++calls), tenant: "all" }) });
    await set.worker(withTasks(told, { names: ["t"] }));
    expect((await set.execute("x")).value).toBe('[[["n","1"],["tenant","all"]],""]');
    expect((await set.execute(new Job(Uint8Array.of(1), { tenant: "a", own: "b" }).forTask("t"))).value).toBe(
      '[[["n","2"],["tenant","a"],["own","b"]],"t"]',
    );
    expect(await outcomes(set, ["x", "y"])).toEqual([
      '[[["n","3"],["tenant","all"]],""]',
      '[[["n","4"],["tenant","all"]],""]',
    ]);
  });

  it("are on the jobs of a leased worker, and may be none", async () => {
    let header: Record<string, string> | undefined = { a: "1" };
    await using set = await stage({ headers: () => header });
    await set.worker(told);
    const lease = await set.settle(set.runner.workers.acquire());
    expect(await set.settle(lease.execute("x"))).toBe('[[["a","1"]],""]');
    header = undefined;
    expect(await set.settle(lease.execute("x"))).toBe('[[],""]');
    set.runner.workers.release(lease);
  });

  it("keep the job that is given as it was", async () => {
    await using set = await stage({ headers: () => ({ a: "1" }) });
    await set.worker(told);
    const job = new Job("x");
    await set.execute(job);
    expect([...job.headers]).toEqual([]);
  });

  it.each([
    ["throws", TypeError("no span"), "no span"],
    ["returns what are no headers", { a: 1 }, "the value of the header"],
    ["returns too many bytes", { a: "x".repeat(9_000) }, "8192 bytes"],
  ])("fail their job alone when the function %s", async (_what, made, message) => {
    let calls = 0;
    const headers = (): never => {
      if (++calls === 2) return {} as never;
      if (made instanceof Error) throw made;
      return made as never;
    };
    await using set = await stage({ headers });
    await set.worker(told);
    expect(String((await set.execute("x")).error)).toContain(message);
    const [first, second] = await outcomes(set, [new Job("y"), new Job("z")]);
    expect(first).toBe('[[],""]');
    expect(String(second)).toContain(message);
    expect(set.runner.stats().submitted).toBe(1);
  });

  it("refuse the job when the function stops the runner", async () => {
    const set = await stage({
      headers: () => {
        void set.runner.stop();
        return {};
      },
    });
    expect((await set.execute("x")).error).toBeInstanceOf(RunnerStoppedError);
    await set[Symbol.asyncDispose]();
  });

  it("count with the bytes that wait, and `map` waits for room for them", async () => {
    const large = { large: "x".repeat(4_000) };
    await using set = await stage({ headers: () => large, maxQueueBytes: 20_000 });
    const reading = outcomes(
      set,
      Array.from({ length: 10 }, () => "x"),
    );
    await set.clock.settle();
    expect(set.runner.stats().queuedBytes).toBeLessThanOrEqual(20_000);
    await set.worker(() => "done");
    expect(await reading).toEqual(Array(10).fill("done"));
  });

  it("have to be a function", async () => {
    await expect(stage({ headers: {} as never })).rejects.toThrow("expected `headers` to be a function");
  });
});
