/**
 * The runner's story, the same on every transport: whatever carries the frames, jobs settle once and rightly. What a
 * transport itself must do is in socket-laws.ts.
 */
import { describe, expect, it } from "vitest";
import { ExecutionError, RunnerStoppedError, WorkerLostError } from "../../src/core/errors.ts";
import { hostClock } from "../../src/core/host.ts";
import { Job } from "../../src/core/job.ts";
import { JobRunner, type RunnerOptions } from "../../src/core/runner.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import type { Rig } from "./rigs.ts";

/** A transport with workers behind it that run `fixtures/law-handler.js`. */
export interface FleetRig extends Pick<Rig, "listener" | "clock" | "until" | "settle"> {
  /** Brings `count` workers of that capacity to a started runner. */
  join(count: number, capacity: number): Promise<void>;
  /** Cuts one worker's connection without a word. It comes back by itself. */
  lose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Sets a fleet up; it is told beforehand how many workers will join, for transports that start them by themselves. */
export type FleetFactory = (count: number, capacity: number) => Promise<FleetRig>;

interface Scene extends AsyncDisposable {
  readonly rig: FleetRig;
  readonly runner: JobRunner;
}

async function scene(make: FleetFactory, count: number, capacity: number, options: RunnerOptions = {}): Promise<Scene> {
  const rig = await make(count, capacity);
  const runner = new JobRunner({ clock: rig.clock, listen: rig.listener, ...options });
  await rig.settle(runner.start());
  await rig.join(count, capacity);
  await rig.until(() => runner.workers.size === count);
  return {
    rig,
    runner,
    [Symbol.asyncDispose]: async () => {
      await rig.settle(runner.stop());
      expect(runner.stats()).toMatchObject({ workers: [], pending: 0, queued: 0, running: 0, backoff: 0 });
      await rig[Symbol.asyncDispose]();
    },
  };
}

/** Lets time pass: virtually where it is virtual. */
async function pass(rig: FleetRig, ms: number): Promise<void> {
  if (rig.clock instanceof VirtualClock) return rig.clock.advance(ms);
  await new Promise<void>((resolve) => void hostClock.set(ms, resolve, true));
}

export function runnerLaws(name: string, make: FleetFactory): void {
  describe(`the runner's laws over ${name}`, () => {
    it("runs text, bytes, empty and odd data, and answers in kind", async () => {
      await using set = await scene(make, 1, 1);
      const { rig, runner } = set;
      expect(await rig.settle(runner.execute("upper:straße é😀"))).toBe("STRASSE É😀");
      expect(await rig.settle(runner.execute("\ufeff\0:::NONE*****\r\n"))).toBe("\ufeff\0:::NONE*****\r\n");
      expect(await rig.settle(runner.execute(""))).toBe("");
      expect(await rig.settle(runner.execute(Uint8Array.of(1, 2, 255)))).toEqual(Uint8Array.of(255, 2, 1));
      expect(await rig.settle(runner.execute(new Uint8Array()))).toEqual(new Uint8Array());
    });

    it("carries headers of any spelling", async () => {
      await using set = await scene(make, 1, 1);
      const headers = [
        ["__proto__", "a:b"],
        ["", "\\"],
        ["NONE", ""],
        ["7", "\n"],
      ] as const;
      const answer = await set.rig.settle(set.runner.execute(new Job("headers", headers)));
      expect(JSON.parse(String(answer))).toEqual(headers);
    });

    it("settles a thousand jobs, each with its own answer", async () => {
      await using set = await scene(make, 2, 8);
      const jobs = Array.from({ length: 1_000 }, (_, i) => set.runner.execute(`upper:job ${i}`));
      const values = await set.rig.settle(Promise.all(jobs));
      expect(values).toEqual(jobs.map((_, i) => `JOB ${i}`));
      expect(set.runner.stats()).toMatchObject({ submitted: 1_000, succeeded: 1_000, retries: 0, strikes: 0 });
    });

    it("uses every worker", async () => {
      await using set = await scene(make, 3, 1);
      const names = await set.rig.settle(Promise.all(Array.from({ length: 30 }, () => set.runner.execute("who"))));
      expect(new Set(names).size).toBe(3);
    });

    it("carries a payload of the limit both ways, and refuses one byte more", async () => {
      await using set = await scene(make, 1, 2);
      const limit = 1_048_576;
      const bytes = new Uint8Array(limit).map((_, i) => i % 251);
      const back = await set.rig.settle(set.runner.execute(bytes));
      expect(Buffer.compare(Buffer.from(back), bytes.toReversed())).toBe(0); // toEqual takes seconds over a million bytes
      expect(await set.rig.settle(set.runner.execute(`fill:${limit}`))).toHaveLength(limit);
      await expect(set.runner.execute(new Uint8Array(limit + 1))).rejects.toMatchObject({ code: "ENCODING" });
      const tooLarge = set.runner.execute(`fill:${limit + 1}`);
      await expect(set.rig.settle(tooLarge)).rejects.toMatchObject({ remoteCode: "RESULT_TOO_LARGE" });
      expect(await set.rig.settle(set.runner.execute("upper:still here"))).toBe("STILL HERE");
    });

    it("hands errors over as they were thrown, and keeps the worker", async () => {
      await using set = await scene(make, 1, 1);
      const error: unknown = await set.rig.settle(
        set.runner.execute("fail:no luck").catch((thrown: unknown) => thrown),
      );
      expect(error).toBeInstanceOf(ExecutionError);
      expect(error).toMatchObject({ remoteName: "RangeError", remoteMessage: "no luck", remoteCode: "E_LAW" });
      await expect(set.rig.settle(set.runner.execute("wrong"))).rejects.toMatchObject({ remoteCode: "RESULT_TYPE" });
      expect(await set.rig.settle(set.runner.execute("upper:on"))).toBe("ON");
    });

    it("tries again what a handler asks to", async () => {
      await using set = await scene(make, 1, 1);
      const job = set.runner.execute("flaky:3");
      await pass(set.rig, 400);
      expect(await set.rig.settle(job)).toBe("attempt 3");
    });

    it("cancels: the caller hears at once, the handler's signal aborts, the slot comes back", async () => {
      await using set = await scene(make, 1, 1);
      const controller = new AbortController();
      const job = set.runner.execute("hang", { signal: controller.signal }).catch((thrown: unknown) => thrown);
      await set.rig.until(() => set.runner.stats().running === 1);
      const reason = new Error("enough");
      controller.abort(reason);
      expect(await set.rig.settle(job)).toBe(reason);
      expect(await set.rig.settle(set.runner.execute("upper:next"))).toBe("NEXT");
      expect(set.runner.stats().registered).toBe(1);
    });

    it("times an attempt out and goes on with the same worker", async () => {
      await using set = await scene(make, 1, 1);
      const job = set.runner.execute("hang", { timeout: 30, attempts: 1 }).catch((thrown: unknown) => thrown);
      await pass(set.rig, 30);
      expect(await set.rig.settle(job)).toMatchObject({ code: "TIMEOUT", kind: "attempt" });
      expect(await set.rig.settle(set.runner.execute("upper:next"))).toBe("NEXT");
      expect(set.runner.stats().registered).toBe(1);
    });

    it("loses no job with a worker: it runs elsewhere, or the caller is told", async () => {
      await using set = await scene(make, 2, 1);
      const hanging = [1, 2].map(() => set.runner.execute("hang", { attempts: 1 }).catch((thrown: unknown) => thrown));
      await set.rig.until(() => set.runner.stats().running === 2);
      await set.rig.lose();
      const first: unknown = await set.rig.settle(Promise.race(hanging));
      expect(first).toBeInstanceOf(WorkerLostError);
      await pass(set.rig, 250);
      await set.rig.until(() => set.runner.workers.size === 2);
      expect(await set.rig.settle(set.runner.execute("upper:on"))).toBe("ON");
      expect(set.runner.stats().running).toBe(1);
    });

    it("maps in order and as they come, with no more at a time than asked", async () => {
      await using set = await scene(make, 2, 4);
      for (const ordered of [true, false]) {
        let ahead = 0;
        const inputs = function* (): Generator<string> {
          for (let i = 0; i < 200; i++) {
            ahead++;
            yield `upper:${i}`;
          }
        };
        const collect = async (): Promise<number[]> => {
          const seen: number[] = [];
          for await (const outcome of set.runner.map(inputs(), { concurrency: 6, window: 10, ordered })) {
            expect(ahead - (seen.length + 1)).toBeLessThanOrEqual(10); // with the one just read
            expect(outcome).toMatchObject({ ok: true, value: String(outcome.index), attempts: [{ outcome: "ok" }] });
            seen.push(outcome.index);
          }
          return seen;
        };
        const seen = await set.rig.settle(collect());
        const all = Array.from({ length: 200 }, (_, i) => i);
        expect(ordered ? seen : seen.toSorted((a, b) => a - b)).toEqual(all);
        ahead = 0;
      }
    });

    it("holds a worker for related jobs", async () => {
      await using set = await scene(make, 2, 1);
      const names = await set.rig.settle(
        set.runner.workers.getContext(async (held) =>
          Promise.all([held.execute("who"), held.execute("who"), held.execute("who")]),
        ),
      );
      expect(new Set(names).size).toBe(1);
    });

    it("drains: what runs and waits is finished, nothing new is taken", async () => {
      await using set = await scene(make, 1, 1);
      const jobs = Promise.all([1, 2, 3].map((i) => set.runner.execute(`upper:${i}`)));
      const drained = set.runner.drain();
      await expect(set.runner.execute("late")).rejects.toBeInstanceOf(RunnerStoppedError);
      expect(await set.rig.settle(jobs)).toEqual(["1", "2", "3"]);
      await set.rig.settle(drained);
      expect(set.runner.state).toBe("stopped");
    });

    it("settles everything when it stops", async () => {
      await using set = await scene(make, 1, 1);
      const jobs = [1, 2].map(() => set.runner.execute("hang").catch((thrown: unknown) => thrown));
      await set.rig.until(() => set.runner.stats().running === 1);
      await set.rig.settle(set.runner.stop());
      for (const error of await Promise.all(jobs)) expect(error).toBeInstanceOf(RunnerStoppedError);
    });
  });
}
