import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IncomingBudget } from "../../../src/core/transport/incoming-budget.ts";
import type { IncomingReservation } from "../../../src/core/transport/socket.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

const KIB = 1_024;
const STALL = 10_000;

/** One connection: what its reservation told it. */
class Peer {
  readonly name: string;
  readonly reservation: IncomingReservation;
  granted = 0;
  evicted: string | undefined;

  constructor(name: string, budget: IncomingBudget) {
    this.name = name;
    this.reservation = budget.reservation({
      onGranted: () => void this.granted++,
      onEvicted: (message) => (this.evicted = message),
    });
  }
}

function scene(limit: number): {
  readonly clock: VirtualClock;
  readonly budget: IncomingBudget;
  readonly peer: (name: string) => Peer;
} {
  const clock = new VirtualClock();
  const budget = new IncomingBudget(limit, STALL, clock);
  return { clock, budget, peer: (name) => new Peer(name, budget) };
}

describe("a frame", () => {
  test("that fits is granted at once, one that does not waits for the bytes of others", () => {
    const { budget, peer } = scene(100);
    const [one, two, three] = [peer("one"), peer("two"), peer("three")];
    expect([one.reservation.reserve(60, 0), two.reservation.reserve(60, 0)]).toEqual([true, false]);
    // First come, first served: a small one does not pass a large one that waits.
    expect(three.reservation.reserve(1, 0)).toBe(false);
    expect([budget.held, budget.waiting]).toEqual([60, 2]);
    one.reservation.release();
    expect([two.granted, three.granted, budget.held, budget.waiting]).toEqual([1, 1, 61, 0]);
    two.reservation.release();
    three.reservation.release();
    expect(budget.held).toBe(0);
  });

  test("larger than the budget is granted when it is the oldest, and only then", () => {
    const { budget, peer } = scene(100);
    const [small, large] = [peer("small"), peer("large")];
    expect([small.reservation.reserve(1, 0), large.reservation.reserve(1_000, 0)]).toEqual([true, false]);
    small.reservation.release();
    expect([large.granted, budget.held]).toEqual([1, 1_000]);
  });

  test("that grows fragment by fragment keeps its place: the oldest is never held up", () => {
    const { budget, peer } = scene(100);
    const [one, two] = [peer("one"), peer("two")];
    expect([one.reservation.reserve(50, 0), two.reservation.reserve(50, 0)]).toEqual([true, true]);
    expect([one.reservation.reserve(80, 50), two.reservation.reserve(80, 50)]).toEqual([true, false]);
    expect(budget.held).toBe(130);
    one.reservation.release();
    expect([two.granted, budget.held]).toEqual([1, 80]);
  });

  test("that is given up gives back what it held, and its place in line", () => {
    const { budget, peer } = scene(100);
    const [one, two, three] = [peer("one"), peer("two"), peer("three")];
    one.reservation.reserve(90, 0);
    two.reservation.reserve(90, 0);
    three.reservation.reserve(10, 0);
    two.reservation.release();
    two.reservation.release();
    // Nothing of the budget was given back, but the one in the way is gone.
    expect([three.granted, two.granted, budget.held, budget.waiting]).toEqual([1, 0, 100, 0]);
  });
});

describe("while others wait", () => {
  test("what brings in nothing makes room after the stall timeout, the largest first, and no more than is needed", async () => {
    const { clock, budget, peer } = scene(1_000 * KIB);
    const [small, large, busy, late] = [peer("small"), peer("large"), peer("busy"), peer("late")];
    small.reservation.reserve(100 * KIB, 0);
    large.reservation.reserve(600 * KIB, 0);
    busy.reservation.reserve(300 * KIB, 0);
    await clock.advance(10 * STALL);
    expect(large.evicted, "nobody waits").toBe(undefined);
    expect(late.reservation.reserve(200 * KIB, 0)).toBe(false);
    for (let second = 0; second < 10; second++) {
      busy.reservation.progress(2 * KIB * (second + 1));
      await clock.advance(STALL / 10 - 1);
    }
    expect([large.evicted, late.granted]).toEqual([undefined, 0]);
    await clock.advance(10);
    expect(large.evicted).toContain(`in ${STALL} ms`);
    expect([small.evicted, busy.evicted, late.granted]).toEqual([undefined, undefined, 1]);
    expect(budget.held).toBe(600 * KIB);
    await clock.advance(10 * STALL);
    expect([small.evicted, busy.evicted, late.evicted]).toEqual([undefined, undefined, undefined]);
  });

  test("a frame that trickles has to come within 16 looks", async () => {
    const { clock, peer } = scene(1_600 * KIB);
    const [trickle, late] = [peer("trickle"), peer("late")];
    trickle.reservation.reserve(1_600 * KIB, 0);
    late.reservation.reserve(1, 0);
    for (let look = 1; look <= 3; look++) {
      trickle.reservation.progress(100 * KIB * look);
      await clock.advance(STALL);
      expect(trickle.evicted).toBe(undefined);
    }
    trickle.reservation.progress(400 * KIB - 1);
    await clock.advance(STALL);
    expect([trickle.evicted === undefined, late.granted]).toEqual([false, 1]);
  });

  test("what was granted a moment ago is not judged before it had a whole stall timeout", async () => {
    const { clock, peer } = scene(100 * KIB);
    const [one, two, three] = [peer("one"), peer("two"), peer("three")];
    one.reservation.reserve(100 * KIB, 0);
    two.reservation.reserve(100 * KIB, 0);
    three.reservation.reserve(100 * KIB, 0);
    await clock.advance(STALL - 1);
    one.reservation.release();
    await clock.advance(STALL);
    expect([two.granted, two.evicted, three.granted]).toEqual([1, undefined, 0]);
    await clock.advance(STALL);
    expect([two.evicted === undefined, three.granted]).toEqual([false, 1]);
  });

  test("nothing is judged when this process stood still", async () => {
    const { clock, peer } = scene(100 * KIB);
    const [one, two] = [peer("one"), peer("two")];
    one.reservation.reserve(100 * KIB, 0);
    two.reservation.reserve(100 * KIB, 0);
    clock.jump(3 * STALL);
    await clock.settle();
    expect(one.evicted).toBe(undefined);
    await clock.advance(STALL);
    expect([one.evicted === undefined, two.granted]).toEqual([false, 1]);
  });

  test("one that waits itself is not judged: it is not read", async () => {
    const { clock, peer } = scene(100 * KIB);
    const [one, two] = [peer("one"), peer("two")];
    one.reservation.reserve(60 * KIB, 0);
    two.reservation.reserve(40 * KIB, 0);
    expect(two.reservation.reserve(80 * KIB, 40 * KIB)).toBe(false);
    for (let look = 1; look < 5; look++) {
      one.reservation.progress(20 * KIB * look);
      await clock.advance(STALL);
    }
    expect([one.evicted, two.evicted]).toEqual([undefined, undefined]);
  });

  test("no timer is left when nobody waits any more", async () => {
    const { clock, peer } = scene(10);
    const [one, two] = [peer("one"), peer("two")];
    one.reservation.reserve(10, 0);
    two.reservation.reserve(10, 0);
    expect(clock.next).not.toBe(undefined);
    two.reservation.release();
    expect(clock.next).toBe(undefined);
    one.reservation.release();
    await clock.settle();
  });
});

test("whatever comes and goes: the limit and one frame hold, the oldest reads, all are granted in turn", () => {
  const LIMIT = 1_000;
  const step = fc.record({ peer: fc.nat(19), bytes: fc.integer({ min: 1, max: 1_500 }), isEnd: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { budget, peer } = scene(LIMIT);
      const peers = Array.from({ length: 20 }, (_, n) => peer(`${n}`));
      /** Those with a frame under way, the oldest first, and how many bytes it has asked for. */
      const wants = new Map<Peer, number>();
      for (const { peer: index, bytes, isEnd } of steps) {
        const one = peers[index];
        if (one === undefined) continue;
        if (isEnd) {
          one.reservation.release();
          wants.delete(one);
        } else if (!one.reservation.isWaiting) {
          wants.set(one, Math.max(wants.get(one) ?? 0, bytes));
          one.reservation.reserve(wants.get(one) ?? 0, 0);
        }
        const [oldest] = wants.keys();
        expect(oldest?.reservation.isWaiting ?? false).toBe(false);
        expect(budget.held).toBeLessThanOrEqual(LIMIT + 1_500);
        expect(budget.waiting).toBe([...wants.keys()].filter(({ reservation }) => reservation.isWaiting).length);
      }
      while (wants.size > 0) {
        const [oldest] = wants.keys();
        expect(oldest?.reservation.isWaiting).toBe(false);
        oldest?.reservation.release();
        if (oldest !== undefined) wants.delete(oldest);
      }
      expect([budget.held, budget.waiting]).toEqual([0, 0]);
    }),
  );
});
