/** Jobs that were prefetched and come back: handed back, lost, asked back. */
import { describe, expect, it } from "vitest";
import type { TimerHandle } from "../../../src/core/time/clock.ts";
import { WorkerLostError } from "../../../src/core/errors.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { hello } from "../../support/scripted-peer.ts";
import { jobNumber, Puppet, stage, type Watched } from "../../support/stage.ts";
import { answer, eager, Gate, jobOf, practise, recalled, reject, submit } from "../runner/prefetch-scene.ts";

/** Counts the timers that are a reason for the process to stay. */
class Alive extends VirtualClock {
  alive = 0;
  readonly #counted = new Map<TimerHandle, () => void>();

  override set(delay: number, fn: () => void, keepAlive = false): TimerHandle {
    if (!keepAlive) return super.set(delay, fn);
    this.alive++;
    const over = (): void => {
      if (this.#counted.delete(handle)) this.alive--;
    };
    const handle: TimerHandle = super.set(delay, () => {
      over();
      fn();
    });
    this.#counted.set(handle, over);
    return handle;
  }

  override clear(handle: TimerHandle): void {
    this.#counted.get(handle)?.();
    super.clear(handle);
  }
}

const echo: Handler = ({ data }) => data;

describe("a job that is handed back before its turn", () => {
  it.each(["draining", "overloaded"] as const)("with %s has lost neither an attempt nor its place", async (reason) => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b c d", { attempts: 2 });
    await submit(set, "once", { attempts: 1 });
    await submit(set, "e");
    peer.send({ type: "REMOVE" });
    await reject(set, peer, reason, "d", "c", "b");
    expect(set.runner.stats()).toMatchObject({ queued: 5, prefetched: 0, running: 1, retries: 0 });
    expect(set.of("job-retried")).toEqual([]);
    const other = await eager(set, { identity: "other" });
    expect(other.jobs).toEqual(["b", "c", "d"]);
    expect(other.all("JOB").map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
    await answer(set, other, "b");
    expect(b?.state).toBe("ok");
    expect(set.of("job-settled")).toMatchObject([
      { jobId: expect.stringMatching(/:2$/) as unknown, ok: true, attempts: 1 },
    ]);
  });

  it("stands before its successors in whatever order they were handed back", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a b c d e");
    peer.send({ type: "REMOVE" });
    await reject(set, peer, "draining", "b", "d", "e", "c");
    const other = await eager(set, { identity: "other" });
    expect(other.jobs).toEqual(["b", "c", "d", "e"]);
  });

  it("is prefetched to the same worker again, but not before a job has ended there", async () => {
    await using set = await stage({ prefetch: 1 });
    const peer = await eager(set);
    const [, , b] = await submit(set, "a0 a b");
    await reject(set, peer, "overloaded", "a");
    expect(peer.jobs, "else the two would go on with it as fast as they can").toEqual(["a0", "a"]);
    await answer(set, peer, "a0");
    expect(peer.jobs).toEqual(["a0", "a", "a", "b"]);
    await answer(set, peer, "a");
    await answer(set, peer, "b");
    expect(b?.state).toBe("ok");
  });

  it("is a breach of the protocol when it says that it was asked back and was not", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a b");
    await reject(set, peer, "recalled", "b");
    expect(set.of("worker-gone")).toMatchObject([{ reason: "violation" }]);
  });

  it("costs nothing, either, when the runner had reason to think that it had begun", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b", { attempts: 2 });
    peer.send({ type: "JOBRES", attemptId: 1, value: "" }, { type: "REMOVE" });
    await reject(set, peer, "draining", "b");
    const other = await eager(set, { identity: "other" });
    await answer(set, other, "b");
    expect(b?.state).toBe("ok");
    expect(set.of("job-settled").at(-1)).toMatchObject({ jobId: expect.stringMatching(/:2$/) as unknown, attempts: 1 });
  });

  it("comes back from real workers that leave, and nothing is lost, begun twice or out of order", async () => {
    await using set = await stage({ prefetch: 16 });
    const begun: string[] = [];
    const handler: Handler = ({ data }) => {
      begun.push(String(data));
      return data;
    };
    const calls: Watched<unknown>[] = [];
    for (let n = 0; n < 60; n++) calls.push(await set.execute(`${n}`));
    // Each serves five jobs and begins a new life, while it has been sent more.
    await set.worker(handler, { maxJobs: 5 });
    await set.clock.advance(10_000);
    expect(calls.map(({ state }) => state)).toEqual(calls.map(() => "ok"));
    expect(begun).toEqual(calls.map((_, n) => `${n}`));
  });
});

describe("jobs of a session that is lost", () => {
  it("count as attempts that were lost, all of them", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const calls = await submit(set, "a b c", { attempts: 2 });
    peer.close();
    await set.clock.settle();
    expect(set.of("job-retried").map((event) => [jobNumber(event), event.attempt, event.outcome])).toEqual([
      [3, 1, "lost"],
      [2, 1, "lost"],
      [1, 1, "lost"],
    ]);
    const other = await eager(set, { identity: "other" });
    await set.clock.advance(2_000);
    expect(other.all("JOB").map(({ attempt }) => attempt)).toEqual([2]);
    other.close();
    await set.clock.advance(10_000);
    expect(calls[Number(other.all("JOB")[0]?.jobId) - 1]?.error).toBeInstanceOf(WorkerLostError);
  });

  it("are not prefetched again", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a b c");
    peer.close();
    await set.clock.advance(2_000);
    const other = await eager(set, { identity: "other" });
    await submit(set, "d");
    expect(other.jobs).toHaveLength(1);
    await answer(set, other, String(other.jobs[0]));
    expect(other.jobs).toHaveLength(2);
    await answer(set, other, String(other.jobs[1]));
    await answer(set, other, String(other.jobs[2]));
    expect(other.jobs).toHaveLength(4);
    expect(other.jobs[3]).toBe("d");
  });

  it("have lost nothing when they were still in the batch that did not leave", async () => {
    const clock = new VirtualClock();
    const gate = new Gate(clock);
    await using set = await stage({ prefetch: 8, clock, listen: gate });
    Object.defineProperty(set, "clock", { value: clock });
    const peer = gate.connect();
    peer.send(hello({ prefetchLimit: 256 }));
    await clock.settle();
    await submit(set, "a b");
    gate.shut = true;
    const late = await submit(set, "c d", { attempts: 2 });
    expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 3 });
    gate.cut();
    await clock.settle();
    expect(set.of("job-retried").map((event) => [jobNumber(event), event.attempt, event.outcome])).toEqual([
      [2, 1, "lost"],
      [1, 1, "lost"],
    ]);
    const other = await eager(set, { identity: "other" });
    expect(other.all("JOB").map(({ attempt, job }) => [job.data, attempt])).toEqual([
      ["c", 1],
      ["d", 1],
    ]);
    await answer(set, other, "c");
    await answer(set, other, "d");
    expect(late.map(({ state }) => state)).toEqual(["ok", "ok"]);
    peer.close();
    await clock.settle();
  });

  it("whose caller has given up are not heard of again", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const abort = new AbortController();
    await submit(set, "a b");
    const [c] = await submit(set, "c", { signal: abort.signal });
    abort.abort();
    await set.clock.settle();
    peer.close();
    await set.clock.advance(2_000);
    expect(c?.state).toBe("failed");
    expect(set.of("job-retried").map(jobNumber)).toEqual([2, 1]);
  });

  it("survive a job that kills its workers, which is given up", async () => {
    await using set = await stage({ prefetch: 32, attempts: 3, maxLost: 2 });
    const victims = new Set<{ close(): void }>();
    const poison = await set.execute("poison");
    const calls: Watched<unknown>[] = [];
    for (let n = 0; n < 30; n++) calls.push(await set.execute(`${n}`));
    // Whoever is sent the poison in a slot is gone at once; all others are answered.
    for (let life = 0; life < 20 && calls.some(({ state }) => state === "pending"); life++) {
      const peer = await eager(set, { identity: `life-${life}` });
      for (
        let job = peer.jobs.at(0);
        job !== undefined;
        job = peer.jobs.at(peer.all("JOB").indexOf(jobOf(peer, String(job))) + 1)
      ) {
        if (job === "poison") {
          victims.add(peer);
          peer.close();
          break;
        }
        await answer(set, peer, String(job));
        if (peer.jobs.at(-1) === job) await set.clock.advance(2_500);
      }
      await set.clock.advance(2_500);
    }
    expect(victims.size).toBe(2);
    expect(poison.error).toBeInstanceOf(WorkerLostError);
    expect(calls.map(({ state }) => state)).toEqual(calls.map(() => "ok"));
  });
});

describe("jobs that wait at a worker while a slot is free elsewhere", () => {
  it("are asked back after a millisecond, the latest first, every second of them", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    await submit(set, "a b c d e f");
    const other = await eager(set, { identity: "other" });
    await set.clock.advance(0.9);
    expect(recalled(busy)).toEqual([]);
    await set.clock.advance(0.1);
    expect(recalled(busy)).toEqual(["f", "e", "d"]);
    await reject(set, busy, "recalled", "f", "e", "d");
    expect(other.jobs).toEqual(["f", "e", "d"]);
    expect(set.runner.stats()).toMatchObject({ running: 2, prefetched: 4, retries: 0 });
  });

  it("are all asked back by and by, when their worker stays busy", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    await submit(set, "a b c d e f");
    const other = await eager(set, { identity: "other" });
    for (const back of ["f e d", "c b"]) {
      await set.clock.advance(1);
      expect(recalled(busy).slice(-back.split(" ").length)).toEqual(back.split(" "));
      await reject(set, busy, "recalled", ...back.split(" "));
      for (const job of back.split(" ")) await answer(set, other, job);
    }
    expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 0, succeeded: 5 });
  });

  it("are asked back but for those that would be prefetched today", async () => {
    await using set = await stage();
    const busy = await eager(set, { identity: "busy" });
    await practise(set, busy, 40, 0.1, 1);
    const jobs = Array.from({ length: 9 }, (_, n) => `job-${n}`);
    await submit(set, jobs.join(" "));
    expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 8 });
    // One that took that long says that nothing is to be prefetched any more.
    await set.clock.advance(1_000);
    await answer(set, busy, "job-0", 1_000);
    await eager(set, { identity: "other" });
    await set.clock.advance(1);
    expect(recalled(busy)).toEqual(jobs.slice(2).toReversed());
  });

  it("are all asked back of a worker that has not finished a job when it is asked again", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    await submit(set, "a b c d e");
    await eager(set, { identity: "other" });
    await set.clock.advance(1);
    expect(recalled(busy)).toEqual(["e", "d"]);
    await set.clock.advance(1);
    expect(recalled(busy)).toEqual(["e", "d", "c", "b"]);
  });

  it("are not asked back twice, whatever else happens meanwhile", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    await submit(set, "a b c d e");
    await eager(set, { identity: "other" });
    await set.clock.advance(50);
    expect(recalled(busy)).toEqual(["e", "d", "c", "b"]);
    const third = await eager(set, { identity: "third" });
    await set.clock.advance(50);
    third.close();
    await set.clock.advance(50);
    await eager(set, { identity: "fourth" });
    await set.clock.advance(50);
    expect(recalled(busy)).toEqual(["e", "d", "c", "b"]);
  });

  it("do not go back to where they came from before a job has ended there", async () => {
    await using set = await stage({ prefetch: 2 });
    const busy = await eager(set, { identity: "busy" });
    await submit(set, "a b c");
    const other = await eager(set, { identity: "other" });
    await set.clock.advance(1);
    await reject(set, busy, "recalled", "c");
    await submit(set, "d e f g");
    expect([busy.jobs, other.jobs]).toEqual([
      ["a", "b", "c"],
      ["c", "d", "e"],
    ]);
    await answer(set, busy, "a");
    expect(busy.jobs).toEqual(["a", "b", "c", "f", "g"]);
  });

  it("are not asked back while somebody waits for the slot, who gets it", async () => {
    await using set = await stage({ prefetch: 1 });
    const busy = await eager(set, { identity: "busy" });
    await submit(set, "a b c");
    const other = await eager(set, { identity: "other" });
    expect(other.jobs).toEqual(["c"]);
    await set.clock.advance(10);
    expect(recalled(busy)).toEqual([]);
    await answer(set, other, "c");
    await set.clock.advance(10);
    expect(recalled(busy)).toEqual(["b"]);
  });

  it("are not asked back when there are none any more by then", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    await submit(set, "a b");
    await eager(set, { identity: "other" });
    await answer(set, busy, "a");
    await set.clock.advance(10);
    expect(recalled(busy)).toEqual([]);
  });

  it("are asked back from several workers, if need be", async () => {
    await using set = await stage({ prefetch: 1 });
    const [one, two] = [await eager(set, { identity: "one" }), await eager(set, { identity: "two" })];
    await submit(set, "a b c d");
    expect([one.jobs, two.jobs]).toEqual([
      ["a", "c"],
      ["b", "d"],
    ]);
    await eager(set, { identity: "other", capacity: 5 });
    await set.clock.advance(1);
    expect([recalled(one), recalled(two)]).toEqual([["c"], ["d"]]);
  });

  it("are left alone where they are cancelled already", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    const abort = new AbortController();
    await submit(set, "a b");
    await submit(set, "c", { signal: abort.signal });
    abort.abort();
    await set.clock.settle();
    await eager(set, { identity: "other" });
    await set.clock.advance(1);
    expect(recalled(busy)).toEqual(["b"]);
  });

  it("stay where they are when they begin before they are asked", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    const [, b] = await submit(set, "a b");
    await eager(set, { identity: "other" });
    await set.clock.advance(1);
    expect(recalled(busy)).toEqual(["b"]);
    await answer(set, busy, "a");
    await answer(set, busy, "b");
    expect(b?.state).toBe("ok");
    await set.clock.advance(5_000);
    expect(set.of("worker-gone"), "nobody owes an answer to a recall").toEqual([]);
  });

  it("may be handed back although the runner thought that their turn had come", async () => {
    await using set = await stage({ prefetch: 8 });
    const busy = await eager(set, { identity: "busy" });
    const [, b] = await submit(set, "a b", { attempts: 2 });
    const other = await eager(set, { identity: "other" });
    await set.clock.advance(1);
    await answer(set, busy, "a");
    expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 0 });
    await reject(set, busy, "recalled", "b");
    // Whoever has been free for longer: it costs no attempt, and nobody is avoided.
    const taker = other.jobs.includes("b") ? other : busy;
    expect(jobOf(taker, "b").attempt).toBe(1);
    await answer(set, taker, "b");
    expect(b?.state).toBe("ok");
    expect(set.of("job-settled").at(-1)).toMatchObject({ jobId: expect.stringMatching(/:2$/) as unknown, attempts: 1 });
    expect(set.runner.stats()).toMatchObject({ retries: 0, running: 0 });
  });

  it("go on in the same stay then, also when they are prefetched to somebody else", async () => {
    await using set = await stage({ prefetch: 8 });
    const other = await eager(set, { identity: "other", prefetchLimit: 1 });
    const busy = await eager(set, { identity: "busy", prefetchLimit: 1 });
    const [, , , b] = await submit(set, "x a y b", { queueTimeout: 100 });
    await set.peer({ identity: "third", capacity: 2 });
    await set.clock.advance(1);
    await submit(set, "c d");
    await answer(set, other, "x");
    await answer(set, busy, "a");
    expect([recalled(busy), set.runner.stats().prefetched]).toEqual([["b"], 0]);
    await reject(set, busy, "recalled", "b");
    expect([other.jobs, set.runner.stats().prefetched]).toEqual([["x", "y", "b"], 1]);
    await set.clock.advance(98);
    expect(b?.state).toBe("pending");
    await set.clock.advance(1);
    expect(b?.error).toMatchObject({ code: "TIMEOUT", kind: "queue" });
  });

  it("do not keep the process alive once nobody waits for them", async () => {
    const clock = new Alive();
    await using set = await stage({ prefetch: 8, clock });
    Object.defineProperty(set, "clock", { value: clock });
    const busy = await eager(set, { identity: "busy" });
    const abort = new AbortController();
    const calls = await submit(set, "a b", { signal: abort.signal });
    await eager(set, { identity: "other" });
    expect(clock.alive).toBeGreaterThan(0);
    abort.abort();
    await clock.settle();
    expect(calls.map(({ state }) => state)).toEqual(["failed", "failed"]);
    expect(clock.alive).toBe(0);
    await clock.advance(2);
    expect(recalled(busy)).toEqual([]);
  });

  it("come back from a worker that is busy with one that does not end", async () => {
    await using set = await stage({ prefetch: 8 });
    const puppet = new Puppet();
    await set.worker(puppet.handler, { identity: "busy" });
    const [a, ...others] = await submit(set, "a b c d e");
    await set.worker(echo, { identity: "other" });
    await set.clock.advance(10);
    expect(others.map(({ state }) => state)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(puppet.runs.map(({ data }) => data)).toEqual(["a"]);
    puppet.runs[0]?.end("");
    await set.clock.settle();
    expect(a?.state).toBe("ok");
    expect(set.runner.stats()).toMatchObject({ retries: 0, failed: 0, succeeded: 5 });
  });
});
