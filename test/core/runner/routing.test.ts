/** Jobs that ask for labels, at the runner: who runs them, who waits for whom, and what is said when nobody can. */
import { describe, expect, it } from "vitest";
import { NoWorkerError, TimeoutError } from "../../../src/core/errors.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { answer, eager, recalled, reject, submit } from "./prefetch-scene.ts";
import { Puppet, stage, watch } from "../../support/stage.ts";

const GPU = { require: ["gpu"] };

describe("a job that asks for labels", () => {
  it("runs only on a worker that has all of them", async () => {
    await using set = await stage();
    await set.worker(() => "cpu", { identity: "a", labels: ["cpu"] });
    await set.worker(() => "gpu", { identity: "b", labels: ["big", "gpu"] });
    for (let n = 0; n < 3; n++) expect((await set.execute("x", GPU)).value).toBe("gpu");
    expect((await set.execute("x", { require: ["gpu", "big", "gpu"] })).value).toBe("gpu");
  });

  it.each([[["gp u"]], [[""]], ["gpu"], [[5]], [Array(1)], [Array.from({ length: 33 }, String)]])(
    "refuses %j",
    async (require) => {
      await using set = await stage();
      await expect(set.runner.execute("x", { require: require as never })).rejects.toThrow(
        "execute: expected `require` to be at most 32 labels, each 1 to 128 characters of A-Z a-z 0-9 . _ : -",
      );
    },
  );

  it("asks for what the runner does unless it says otherwise", async () => {
    await using set = await stage({ require: ["gpu"], acquireTimeout: 100 });
    await set.worker(() => "plain", { labels: [] });
    const calls = [
      await set.execute("x"),
      await set.execute("x", { attempts: 1 }),
      await set.execute("x", { require: [] }),
    ];
    await set.clock.advance(100);
    expect(calls.map(({ state }) => state)).toEqual(["failed", "failed", "ok"]);
    expect(() => new JobRunner({ require: ["a b"] })).toThrow(/expected `require`/);
  });

  it("asks for what its list held when it was handed in, whatever becomes of the list", async () => {
    await using set = await stage();
    const list = ["gpu"];
    const first = await set.execute("a", { require: list });
    list[0] = "cpu";
    const second = await set.execute("b", { require: list });
    list.length = 0;
    await set.worker(() => "cpu", { identity: "a", labels: ["cpu"] });
    await set.worker(() => "gpu", { identity: "b", labels: ["gpu"] });
    expect([first.value, second.value]).toEqual(["gpu", "cpu"]);
  });

  it("holds up nobody behind it", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { identity: "cpu" });
    const gpu = await set.execute("needs gpu", GPU);
    const plain = await set.execute("plain");
    expect([puppet.runs.map(({ data }) => data), gpu.state]).toEqual([["plain"], "pending"]);
    expect(set.runner.stats().waiting).toEqual([{ require: ["gpu"], except: [], jobs: 1, workers: 0 }]);
    puppet.runs[0]?.end("done");
    await set.clock.settle();
    expect(plain.value).toBe("done");
    await set.worker(() => "on gpu", { identity: "gpu", labels: ["gpu"] });
    expect(gpu.value).toBe("on gpu");
  });

  it("is served in the order of arrival among all whom a worker fits", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { labels: ["gpu"] });
    await submit(set, "first");
    await submit(set, "a", GPU);
    await submit(set, "b");
    await submit(set, "c", { require: ["tpu"] });
    await submit(set, "d", GPU);
    expect(set.runner.stats().waiting).toEqual([
      { require: [], except: [], jobs: 1, workers: 1 },
      { require: ["gpu"], except: [], jobs: 2, workers: 1 },
      { require: ["tpu"], except: [], jobs: 1, workers: 0 },
    ]);
    for (let n = 0; n < 4; n++) {
      puppet.runs[n]?.end("");
      await set.clock.settle();
    }
    expect(puppet.runs.map(({ data }) => data)).toEqual(["first", "a", "b", "d"]);
  });

  it("stays where it was in the order when it is tried again", async () => {
    await using set = await stage();
    const peer = await set.peer({ labels: ["gpu"] });
    await submit(set, "a", GPU);
    await submit(set, "b");
    await submit(set, "c", GPU);
    await reject(set, peer, "overloaded", "a");
    expect(peer.jobs).toEqual(["a", "a"]);
  });

  it("can be one of a map", async () => {
    await using set = await stage();
    await set.worker(() => "cpu");
    await set.worker(() => "gpu", { identity: "b", labels: ["gpu"] });
    const values: unknown[] = [];
    const reading = (async () => {
      for await (const outcome of set.runner.map(["1", "2", "3"], GPU)) values.push(outcome.ok && outcome.value);
    })();
    await set.settle(reading);
    expect(values).toEqual(["gpu", "gpu", "gpu"]);
  });
});

describe("a job whose labels nobody has", () => {
  it("waits acquireTimeout, whoever else is there, and then says what is missing", async () => {
    await using set = await stage();
    await set.worker(() => "", { labels: ["cpu"] });
    const call = await set.execute("x", { require: ["gpu", "cuda"], acquireTimeout: 1_000 });
    await set.clock.advance(500);
    await set.worker(() => "", { identity: "b" });
    await set.clock.advance(499);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ code: "TIMEOUT", kind: "acquire", ms: 1_000 });
    expect(String(call.error)).toBe(
      "TimeoutError: Could not get a worker in 1000 ms (no registered worker has the labels cuda, gpu)",
    );
  });

  it("waits anew from when the last one went that had them, or fell silent", async () => {
    await using set = await stage({ acquireTimeout: 1_000, heartbeat: 10_000 });
    await set.worker(() => "");
    const peer = await set.peer({ labels: ["gpu"] });
    await set.execute("runs", GPU);
    const call = await set.execute("waits", GPU);
    await set.clock.advance(20_000);
    expect(set.of("worker-suspect"), "a worker that fell silent").toHaveLength(1);
    await set.clock.advance(998);
    expect(call.state).toBe("pending");
    await set.clock.advance(2);
    expect(call.error).toBeInstanceOf(TimeoutError);
    peer.close();
  });

  it("waits for ever once somebody came that has them", async () => {
    await using set = await stage({ acquireTimeout: 1_000 });
    const call = await set.execute("x", GPU);
    const plain = await set.execute("y");
    await set.clock.advance(999);
    const held = await set.peer({ labels: ["gpu"] });
    await set.clock.advance(10_000);
    expect([held.jobs, call.state, plain.state], "y waits for the one that has x").toEqual([
      ["x"],
      "pending",
      "pending",
    ]);
  });

  it("fails fast when that was asked for", async () => {
    await using set = await stage();
    await set.worker(() => "", { labels: ["cpu"] });
    const call = await set.execute("x", { ...GPU, failFast: true });
    expect(call.error).toBeInstanceOf(NoWorkerError);
    expect(String(call.error)).toMatch(/no registered worker has the label gpu, and the call asked to fail fast/);
    expect((await set.execute("x", { require: ["cpu"], failFast: true })).state).toBe("ok");
  });

  it("is told what it waited for when queueTimeout passes", async () => {
    await using set = await stage();
    await set.worker(() => "");
    await set.peer({ labels: ["gpu"] });
    await set.execute("runs", GPU);
    const call = await set.execute("waits", { ...GPU, queueTimeout: 50 });
    await set.clock.advance(50);
    expect(String(call.error)).toBe(
      "TimeoutError: waited 50 ms for a free slot (1 workers with the label gpu, all busy)",
    );
  });
});

describe("holding a worker", () => {
  it("can ask for labels, too", async () => {
    await using set = await stage();
    await set.worker(() => "", { identity: "cpu" });
    await set.worker(() => "", { identity: "gpu", labels: ["gpu"] });
    const names = [set.runner.workers.acquire(GPU), set.runner.workers.acquire()].map((one) => set.settle(one));
    const held = await Promise.all(names);
    expect(held.map(({ identity }) => identity)).toEqual(["gpu", "cpu"]);
    const waiting = watch(set.runner.workers.acquire({ ...GPU, timeout: 100 }));
    await set.clock.advance(100);
    expect(String(waiting.error)).toMatch(/Could not get a worker in 100 ms \(1 registered with the label gpu\)/);
    await expect(set.runner.workers.acquire({ require: ["a b"] })).rejects.toThrow(/expected `require`/);
    for (const one of held) set.runner.workers.release(one);
    await set.clock.settle();
  });

  it("does not make it run what asks for other labels", async () => {
    await using set = await stage();
    await set.worker(() => "ok", { labels: ["cpu"] });
    const held = await set.settle(set.runner.workers.acquire());
    await expect(set.settle(held.execute("x", GPU))).rejects.toThrow("the leased worker is not one with the label gpu");
    expect(await set.settle(held.execute("x", { require: ["cpu"] }))).toBe("ok");
    set.runner.workers.release(held);
    await set.clock.settle();
  });
});

describe("prefetching", () => {
  it("sends a job only to a worker that fits", async () => {
    await using set = await stage({ prefetch: 8 });
    const plain = await eager(set);
    const gpu = await eager(set, { identity: "gpu", labels: ["gpu"] });
    await submit(set, "a b", GPU);
    await submit(set, "c d e");
    await submit(set, "f g h", GPU);
    expect(gpu.jobs.filter((data) => "abfgh".includes(String(data)))).toEqual(["a", "b", "f", "g", "h"]);
    expect(plain.jobs.every((data) => "cde".includes(String(data)))).toBe(true);
  });

  it("calls back what a free slot is of use to, and nothing else", async () => {
    await using set = await stage({ prefetch: 8 });
    const gpu = await eager(set, { identity: "gpu", labels: ["gpu"] });
    await submit(set, "a b c", GPU);
    await submit(set, "d e");
    await submit(set, "f", GPU);
    expect(gpu.jobs).toEqual(["a", "b", "c", "d", "e", "f"]);
    const plain = await eager(set, { identity: "plain" });
    await set.clock.advance(5);
    expect(recalled(gpu)).toEqual(["e", "d"]);
    await reject(set, gpu, "recalled", "d", "e");
    expect(plain.jobs).toEqual(["d", "e"]);
    await set.clock.advance(1_000);
    expect(recalled(gpu), "the others stay").toEqual(["e", "d"]);
    await answer(set, gpu, "a");
    await submit(set, "h", GPU);
    expect(gpu.jobs, "and more may follow").toContain("h");
  });

  it("asks for nothing while what was prefetched is of no use to the free slot", async () => {
    await using set = await stage({ prefetch: 8 });
    const gpu = await eager(set, { identity: "gpu", labels: ["gpu"] });
    await eager(set, { identity: "plain" });
    await submit(set, "a b c d", GPU);
    expect(gpu.jobs).toEqual(["a", "b", "c", "d"]);
    await set.clock.advance(100);
    expect(recalled(gpu)).toEqual([]);
    await submit(set, "e", GPU);
    expect(gpu.jobs).toHaveLength(5);
  });

  it("lets nobody pass who is older and may not be prefetched", async () => {
    await using set = await stage({ prefetch: 8 });
    const gpu = await eager(set, { identity: "gpu", labels: ["gpu"] });
    await submit(set, "a");
    await submit(set, "once", { ...GPU, attempts: 1 });
    await submit(set, "b");
    expect(gpu.jobs).toEqual(["a"]);
    await answer(set, gpu, "a");
    expect(gpu.jobs).toEqual(["a", "once", "b"]);
  });
});
