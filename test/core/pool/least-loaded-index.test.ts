import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Seat, SeatIndex } from "../../../src/core/pool/least-loaded-index.ts";

function seats(index: SeatIndex<string>, ...capacities: number[]): Seat<string>[] {
  return capacities.map((capacity, i) => {
    const seat = new Seat(String.fromCharCode(97 + i), capacity);
    index.place(seat);
    return seat;
  });
}

function use(index: SeatIndex<string>): string | undefined {
  const seat = index.first();
  if (seat === undefined) return undefined;
  seat.leases++;
  index.place(seat);
  return seat.worker;
}

describe("a seat", () => {
  it("is free while it is ready and not full", () => {
    const index = new SeatIndex<string>();
    const seat = new Seat("a", 2);
    const isFree = (): boolean => {
      index.place(seat);
      return index.first() === seat;
    };
    expect(isFree()).toBe(true);
    seat.leases = 2;
    expect(isFree()).toBe(false);
    seat.leases = 1;
    for (const standing of ["congested", "suspect"] as const) {
      seat.standing = standing;
      expect(isFree()).toBe(false);
    }
  });
});

describe("the index of free seats", () => {
  it("has nobody first when it is empty", () => {
    const index = new SeatIndex<string>();
    expect([index.first(), index.firstExcept(new Set())]).toEqual([undefined, undefined]);
  });

  it("fills seats by load, equals in turn, until all are full", () => {
    const index = new SeatIndex<string>();
    seats(index, 2, 3, 1);
    expect([1, 2, 3, 4, 5, 6, 7].map(() => use(index))).toEqual(["a", "b", "c", "a", "b", "b", undefined]);
  });

  it("finds a lower load again after it had none", () => {
    const index = new SeatIndex<string>();
    const [a = new Seat("", 1), b = new Seat("", 1)] = seats(index, 9, 9);
    for (let i = 0; i < 12; i++) use(index);
    b.leases = 1;
    index.place(b);
    expect([use(index), use(index)]).toEqual(["b", "b"]);
    a.leases = 0;
    index.place(a);
    expect(use(index)).toBe("a");
  });

  it("passes over those to be avoided while another is free, however loaded, and not longer", () => {
    const index = new SeatIndex<string>();
    const [, b = new Seat("", 1)] = seats(index, 5, 5);
    b.leases = 4;
    index.place(b);
    expect(index.firstExcept(new Set("a"))).toBe(b);
    b.leases = 5;
    index.place(b);
    expect(index.firstExcept(new Set("a"))?.worker).toBe("a");
    expect(index.firstExcept(new Set("ab"))?.worker).toBe("a");
  });

  it("loses a seat that is removed, filed or not", () => {
    const index = new SeatIndex<string>();
    const [a = new Seat("", 1)] = seats(index, 1);
    index.remove(a);
    index.remove(a);
    expect(index.first()).toBeUndefined();
    a.leases = 1;
    index.place(a);
    index.remove(a);
    expect(index.first()).toBeUndefined();
  });

  it("is a sorted array, whatever changes", () => {
    const step = fc.record({ n: fc.nat(4), leases: fc.nat(4), in: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
        const index = new SeatIndex<string>();
        const all = seats(index, 4, 4, 4, 4, 4);
        let order = [...all];
        for (const { n, leases, in: stays } of steps) {
          for (const seat of all.slice(n, n + 1)) {
            seat.leases = leases;
            order = order.filter((other) => other !== seat);
            if (stays) index.place(seat);
            else index.remove(seat);
            if (stays && leases < 4) order.push(seat);
          }
          const expected = order.toSorted((a, b) => a.leases - b.leases);
          expect(index.first()).toBe(expected[0]);
          expect(index.firstExcept(new Set("ab"))).toBe(expected.find(({ worker }) => worker > "b") ?? expected[0]);
        }
      }),
    );
  });
});
