import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PrefetchController, type Prefetch } from "../../../src/core/session/prefetch.ts";
import { MAX_MEASURED_PREFETCH } from "../../../src/core/protocol/constants.ts";

function pace(prefetch: Prefetch = "auto", capacity = 1, prefetchLimit: number | undefined = 256): PrefetchController {
  return new PrefetchController(prefetch, { capacity, prefetchLimit });
}

/** Jobs of so many ms whose way there and back took so long. */
function note(one: PrefetchController, jobs: number, ran: number, way: number): number[] {
  return Array.from({ length: jobs }, () => {
    one.observe(ran, ran + way);
    return one.limit;
  });
}

describe("a number of jobs", () => {
  it("is prefetched as it was asked for, at most what the worker takes, whatever is measured", () => {
    const three = pace(3);
    const limited = pace(200, 4, 7);
    note(three, 100, 1_000, 1);
    expect([three.limit, limited.limit, three.measures]).toEqual([3, 7, false]);
    expect([pace(0).limit, pace(256, 1, 256).limit]).toEqual([0, 256]);
  });

  it("is nothing for a worker that takes nothing ahead", () => {
    const worker = { capacity: 1 };
    for (const prefetch of ["auto", 0, 5] as const) {
      const one = new PrefetchController(prefetch, worker);
      note(one, 100, 0.01, 1);
      expect([one.limit, one.measures]).toEqual([0, false]);
    }
  });
});

describe("a measured number of jobs", () => {
  it("is nothing before 32 jobs, then as many as take no longer than a round trip", () => {
    const counts = note(pace(), 40, 0.01, 0.065);
    expect(counts.slice(0, 31)).toEqual(Array(31).fill(0));
    expect(counts.slice(31)).toEqual(Array(9).fill(6));
  });

  it.each([
    [0.001, 0.06, 61],
    [0, 0.06, MAX_MEASURED_PREFETCH],
    [0.01, 0.055, 5],
    [0.01, 0.05999, 6], // known no better than to a microsecond
    [0.01, 0.065, 6],
    [0.05, 0.06, 1],
    [0.06, 0.06, 0],
    [0.061, 0.06, 0],
    [20, 0.06, 0],
    [0, 0, 0],
    [5, 10.5, 2],
  ])("of jobs of %d ms with a round trip of %d ms is %d", (ran, way, prefetchLimit) => {
    const one = pace();
    note(one, 100, ran, way);
    expect(one.limit).toBe(prefetchLimit);
  });

  it.each([
    [1, 6],
    [2, 5],
    [6, 1],
    [7, 0],
    [32, 0],
  ])("leaves out what %d slots bridge: %d", (capacity, prefetchLimit) => {
    const one = pace("auto", capacity);
    note(one, 100, 0.01, 0.065);
    expect(one.limit).toBe(prefetchLimit);
  });

  it("is nothing, nor is anything measured, with more slots than may be prefetched", () => {
    const one = pace("auto", MAX_MEASURED_PREFETCH + 1);
    note(one, 100, 0, 1);
    expect([one.limit, one.measures]).toEqual([0, false]);
    expect(pace("auto", MAX_MEASURED_PREFETCH).measures).toBe(true);
  });

  it("is not over what the worker takes", () => {
    const one = pace("auto", 1, 3);
    note(one, 100, 0, 1);
    expect(one.limit).toBe(3);
  });

  it("is nothing while no job found a free slot, so that no round trip is known", () => {
    const one = pace();
    for (let job = 0; job < 100; job++) one.observe(0.01, undefined);
    expect(one.limit).toBe(0);
    one.observe(0.01, 1);
    expect(one.limit).toBe(99);
  });

  it("is not changed by an answer that does not say what the job took", () => {
    const one = pace();
    note(one, 100, 0.01, 0.065);
    one.observe(undefined, 10_000);
    expect(one.limit).toBe(6);
  });

  it("is nothing as soon as one long job was among them, and for the next hundreds", () => {
    const one = pace();
    note(one, 1_000, 0.01, 0.065);
    note(one, 1, 100, 0.065);
    expect(note(one, 500, 0.01, 0.065)).toEqual(Array(500).fill(0));
  });

  it("comes back once the long ones are forgotten, in about as many jobs as are remembered", () => {
    const one = pace();
    note(one, 100, 1, 0.065);
    const counts = note(one, 20_000, 0.01, 0.065);
    const back = counts.findIndex((count) => count > 0);
    expect(back).toBeGreaterThan(1_000);
    expect(back).toBeLessThan(10_000);
  });

  it("is nothing within 32 jobs when short jobs turn into long ones", () => {
    const one = pace();
    note(one, 5_000, 0.01, 0.065);
    const counts = note(one, 32, 50, 0.065);
    expect(counts).toEqual(Array(32).fill(0));
  });

  it("believes a shorter round trip at once and a longer one slowly", () => {
    const one = pace();
    note(one, 100, 0.01, 0.3);
    expect(one.limit).toBe(30);
    note(one, 1, 0.01, 0.05);
    expect(one.limit).toBe(5);
    note(one, 1, 0.01, 1_000);
    expect(note(one, 1, 0.01, 0.05), "one stall is no round trip").toEqual([5]);
  });

  it("does not go below a round trip of nothing when clocks disagree", () => {
    const one = pace();
    note(one, 100, 0.01, -0.005);
    expect(one.limit).toBe(0);
  });

  it("is a whole number from 0 to what may be sent, whatever is measured", () => {
    const time = fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 1e-3, noNaN: true }),
      fc.double({ min: 0, max: 4_294_967, noNaN: true }),
    );
    const job = fc.record({ ran: fc.option(time, { nil: undefined }), took: fc.option(time, { nil: undefined }) });
    fc.assert(
      fc.property(
        fc.array(job, { minLength: 30, maxLength: 120, size: "max" }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(300),
        (jobs, capacity, prefetchLimit) => {
          const one = pace("auto", capacity, prefetchLimit);
          let known = 0;
          for (const { ran, took } of jobs) {
            one.observe(ran, took);
            if (ran !== undefined) known++;
            expect(Number.isInteger(one.limit)).toBe(true);
            expect(one.limit).toBeGreaterThanOrEqual(0);
            expect(one.limit).toBeLessThanOrEqual(known < 32 ? 0 : Math.min(prefetchLimit, MAX_MEASURED_PREFETCH));
          }
        },
      ),
    );
  });
});

describe("a measured number of jobs beside a list of all of them", () => {
  /** What the list of all times says; only as long as none is forgotten. */
  function worth(jobs: readonly { ran: number; took: number | undefined }[], capacity: number, most: number): number[] {
    if (jobs.length < 32) return [0];
    const mean = jobs.reduce((sum, { ran }) => sum + ran, 0) / jobs.length;
    const variance = jobs.reduce((sum, { ran }) => sum + (ran - mean) ** 2, 0) / jobs.length;
    let trip = Number.POSITIVE_INFINITY;
    for (const { ran, took } of jobs) {
      if (took === undefined) continue;
      const way = Math.max(0, took - ran);
      trip = way < trip ? way : trip + (way - trip) / 64;
    }
    const expected = mean + Math.sqrt(variance) / 8;
    // Sums in another order differ in their last digits: to either side of a whole number.
    return [1 - 1e-9, 1 + 1e-9].map((part) => {
      if (trip === Number.POSITIVE_INFINITY || expected * part >= trip) return 0;
      const count = Math.floor((trip + 0.001) / Math.max(expected * part, (trip * part) / 128));
      return Math.max(0, Math.min(most, 128, count - (capacity - 1)));
    });
  }

  it("is what the list says", () => {
    const time = fc.integer({ min: 1, max: 4_000 }).map((us) => us / 1_000);
    const short = fc.integer({ min: 1, max: 60 }).map((us) => us / 1_000);
    const job = fc.record({
      ran: fc.oneof({ weight: 20, arbitrary: short }, { weight: 1, arbitrary: time }),
      way: fc.option(time, { nil: undefined }),
    });
    fc.assert(
      fc.property(
        fc.array(job, { minLength: 33, maxLength: 120, size: "max" }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 200 }),
        (jobs, capacity, most) => {
          const one = pace("auto", capacity, most);
          const all: { ran: number; took: number | undefined }[] = [];
          for (const { ran, way } of jobs) {
            const took = way === undefined ? undefined : ran + way;
            one.observe(ran, took);
            all.push({ ran, took });
            expect(worth(all, capacity, most)).toContain(one.limit);
          }
        },
      ),
    );
  });
});

describe("jobs of several tasks", () => {
  /** Jobs of a task, one after the other; their limit while one is with the worker. */
  function run(one: PrefetchController, task: string, jobs: number, ran: number, way: number = 0.065): number {
    for (let job = 0; job < jobs; job++) {
      const known = one.begin(task);
      one.observe(ran, ran + way, known);
      if (known !== undefined) one.end(known);
    }
    const known = one.begin(task);
    const limit = one.limitWith(1);
    if (known !== undefined) one.end(known);
    return limit;
  }

  it("have a pace each: a long one changes nothing for the short", () => {
    const one = pace();
    expect(run(one, "short", 100, 0.01)).toBe(6);
    expect(run(one, "long", 1_000, 2_000)).toBe(0);
    expect(run(one, "short", 0, 0)).toBe(6);
    expect(run(one, "new", 31, 0.01)).toBe(0);
    expect(run(one, "new", 1, 0.01)).toBe(6);
  });

  it("are prefetched as the longest of those that are with the worker", () => {
    const one = pace();
    run(one, "short", 100, 0.01);
    run(one, "middling", 100, 0.02);
    run(one, "long", 100, 2_000);
    note(one, 100, 0.005, 0.065); // without a task
    const [short, middling, long] = [one.begin("short"), one.begin("middling"), one.begin("long")];
    if (short === undefined || middling === undefined || long === undefined) throw new Error("measures nothing");
    expect(one.limitWith(3)).toBe(0);
    one.end(long);
    expect(one.limitWith(2)).toBe(3);
    one.end(middling);
    expect([one.limitWith(1), one.limitWith(2)]).toEqual([6, 6]);
    one.end(short);
    expect([one.limitWith(0), one.limitWith(1)]).toEqual([13, 13]);
  });

  it("are known up to 256, the last used, or as many as the worker announces", () => {
    for (const [announced, kept] of [
      [0, 256],
      [300, 300],
    ] as const) {
      const labels = Array.from({ length: announced }, (_, n) => `task:t${n}`);
      const one = new PrefetchController("auto", { capacity: 1, prefetchLimit: 256, labels });
      for (let n = 0; n < kept; n++) run(one, `t${n}`, 32, 0.01);
      expect(run(one, "t0", 0, 0)).toBe(6);
      run(one, "one more", 32, 0.01);
      expect([run(one, "t0", 0, 0), run(one, `t${kept - 1}`, 0, 0)]).toEqual([6, 6]);
      expect(run(one, "t1", 0, 0), "the one that was used least lately").toBe(0);
    }
  });

  it("are not measured where a number was asked for", () => {
    const one = pace(3);
    expect([one.begin("a"), one.limitWith(1)]).toEqual([undefined, 3]);
  });
});
