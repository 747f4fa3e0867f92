/** How a runner and a worker end: what is told in which order, and what a second drain does to the first. */
import { describe, expect, it } from "vitest";
import { WorkerRegistration } from "../../../src/core/runner/registration.ts";
import { Workers } from "../../../src/core/pool/workers.ts";
import { Puppet, stage, watch } from "../../support/stage.ts";

describe("a runner that ends", () => {
  it.each(["drain", "stop"] as const)(
    "tells of its workers, then that it has stopped, then %s resolves",
    async (end) => {
      const set = await stage();
      await set.peer({ identity: "a" });
      await set.peer({ identity: "b" });
      const told: string[] = [];
      set.runner.on((event) => told.push(event.type === "runner-state" ? event.state : event.type));
      const ended = set.runner[end]().then(() => told.push("resolved"));
      expect(set.runner.state).toBe(end === "drain" ? "draining" : "stopped");
      await set.settle(ended);
      expect(told.filter((type) => type !== "worker-draining" && type !== "draining")).toEqual([
        "worker-gone",
        "worker-gone",
        "stopped",
        "resolved",
      ]);
    },
  );

  it("tells that it has stopped also when a listener cannot be stopped", async () => {
    const set = await stage({
      listen: { address: "nowhere", start: () => Promise.resolve(), stop: () => Promise.reject(new Error("stuck")) },
    });
    const stopped = watch(set.runner.stop());
    await set.clock.settle();
    expect(String(stopped.error)).toBe("Error: stuck");
    expect(set.of("runner-state").at(-1)).toEqual({ type: "runner-state", state: "stopped" });
  });

  it("as a registration alone tells of its workers before `stop` resolves", async () => {
    await using set = await stage();
    const { clock, random } = set;
    const registration = new WorkerRegistration({ workers: new Workers({ clock }), listen: [], clock, random });
    const told: string[] = [];
    registration.on(({ type }) => told.push(type));
    await set.settle(registration.start());
    await set.settle(registration.stop());
    expect(told).toEqual([]);
  });
});

describe("a worker that ends", () => {
  it.each(["drain", "stop"] as const)("tells that it has stopped before %s resolves", async (end) => {
    await using set = await stage();
    const worker = await set.worker(({ data }) => data);
    const told: string[] = [];
    worker.on((event) => told.push(event.type === "worker-state" ? event.state : event.type));
    await set.settle(worker[end]().then(() => told.push("resolved")));
    expect(told.slice(-2)).toEqual(["stopped", "resolved"]);
  });

  it("ends sooner when a second drain has less time, and not later when it has more", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    const worker = await set.worker(puppet.handler);
    const call = await set.execute("x", { attempts: 1 });
    const first = watch(worker.drain({ timeout: 10_000 }));
    await set.clock.advance(1_000);
    const second = watch(worker.drain({ timeout: 500 }));
    void worker.drain();
    void worker.drain({ timeout: 5_000 });
    await set.clock.advance(499);
    expect([first.state, second.state]).toEqual(["pending", "pending"]);
    await set.clock.advance(1);
    expect([first.state, second.state, call.error]).toMatchObject(["ok", "ok", { code: "WORKER_LOST" }]);
    puppet.runs[0]?.end("late");
  });
});

describe("a second drain", () => {
  it("shortens the first, and never lengthens it", async () => {
    await using set = await stage();
    await set.peer();
    const call = await set.execute("x");
    const first = watch(set.runner.drain({ timeout: 20_000 }));
    await set.clock.advance(1_000);
    const second = watch(set.runner.drain({ timeout: 500 }));
    void set.runner.drain();
    void set.runner.drain({ timeout: 600 });
    await set.clock.advance(499);
    expect([first.state, call.state]).toEqual(["pending", "pending"]);
    await set.clock.advance(1);
    expect([first.state, second.state]).toEqual(["ok", "ok"]);
    expect(String(call.error)).toBe("RunnerStoppedError: the drain took over 1500 ms");
  });

  it("rejects what is queued when it says so, and lets the rest run", async () => {
    await using set = await stage({ prefetch: 0 });
    const peer = await set.peer();
    const calls = [await set.execute("runs"), await set.execute("waits")];
    const drained = watch(set.runner.drain());
    await set.clock.settle();
    expect(calls.map(({ state }) => state)).toEqual(["pending", "pending"]);
    void set.runner.drain({ queued: "reject" });
    await set.clock.settle();
    expect(calls.map(({ state }) => state)).toEqual(["pending", "failed"]);
    peer.answer("y");
    await set.clock.settle();
    expect([drained.state, calls[0]?.value]).toEqual(["ok", "y"]);
  });
});
