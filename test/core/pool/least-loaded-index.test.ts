import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WorkerEntry, LeastLoadedIndex } from "../../../src/core/pool/least-loaded-index.ts";

function seats(index: LeastLoadedIndex<string>, ...capacities: number[]): WorkerEntry<string>[] {
  return capacities.map((capacity, i) => {
    const seat = new WorkerEntry(String.fromCharCode(97 + i), capacity);
    index.update(seat);
    return seat;
  });
}

function use(index: LeastLoadedIndex<string>): string | undefined {
  const seat = index.first();
  if (seat === undefined) return undefined;
  seat.inUse++;
  index.update(seat);
  return seat.worker;
}

describe("a entry", () => {
  it("is free while it is ready and not full", () => {
    const index = new LeastLoadedIndex<string>();
    const seat = new WorkerEntry("a", 2);
    const isFree = (): boolean => {
      index.update(seat);
      return index.first() === seat;
    };
    expect(isFree()).toBe(true);
    seat.inUse = 2;
    expect(isFree()).toBe(false);
    seat.inUse = 1;
    for (const standing of ["congested", "suspect"] as const) {
      seat.availability = standing;
      expect(isFree()).toBe(false);
    }
  });
});

describe("the index of free entries", () => {
  it("has nobody first when it is empty", () => {
    const index = new LeastLoadedIndex<string>();
    expect([index.first(), index.firstExcept(new Set())]).toEqual([undefined, undefined]);
  });

  it("fills entries by load, equals in turn, until all are full", () => {
    const index = new LeastLoadedIndex<string>();
    seats(index, 2, 3, 1);
    expect([1, 2, 3, 4, 5, 6, 7].map(() => use(index))).toEqual(["a", "b", "c", "a", "b", "b", undefined]);
  });

  it("finds a lower load again after it had none", () => {
    const index = new LeastLoadedIndex<string>();
    const [a = new WorkerEntry("", 1), b = new WorkerEntry("", 1)] = seats(index, 9, 9);
    for (let i = 0; i < 12; i++) use(index);
    b.inUse = 1;
    index.update(b);
    expect([use(index), use(index)]).toEqual(["b", "b"]);
    a.inUse = 0;
    index.update(a);
    expect(use(index)).toBe("a");
  });

  it("passes over those to be avoided while another is free, however loaded, and not longer", () => {
    const index = new LeastLoadedIndex<string>();
    const [, b = new WorkerEntry("", 1)] = seats(index, 5, 5);
    b.inUse = 4;
    index.update(b);
    expect(index.firstExcept(new Set("a"))).toBe(b);
    b.inUse = 5;
    index.update(b);
    expect(index.firstExcept(new Set("a"))?.worker).toBe("a");
    expect(index.firstExcept(new Set("ab"))?.worker).toBe("a");
  });

  it("loses a entry that is removed, filed or not", () => {
    const index = new LeastLoadedIndex<string>();
    const [a = new WorkerEntry("", 1)] = seats(index, 1);
    index.remove(a);
    index.remove(a);
    expect(index.first()).toBeUndefined();
    a.inUse = 1;
    index.update(a);
    index.remove(a);
    expect(index.first()).toBeUndefined();
  });

  it("is a sorted array, whatever changes", () => {
    const step = fc.record({ n: fc.nat(4), leases: fc.nat(4), in: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
        const index = new LeastLoadedIndex<string>();
        const all = seats(index, 4, 4, 4, 4, 4);
        let order = [...all];
        for (const { n, leases, in: stays } of steps) {
          for (const seat of all.slice(n, n + 1)) {
            seat.inUse = leases;
            order = order.filter((other) => other !== seat);
            if (stays) index.update(seat);
            else index.remove(seat);
            if (stays && leases < 4) order.push(seat);
          }
          const expected = order.toSorted((a, b) => a.inUse - b.inUse);
          expect(index.first()).toBe(expected[0]);
          expect(index.firstExcept(new Set("ab"))).toBe(expected.find(({ worker }) => worker > "b") ?? expected[0]);
        }
      }),
    );
  });
});
