import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jitter, type TimerHandle } from "../../src/core/clock.ts";
import { Alarm, DeadlineQueue } from "../../src/core/deadline.ts";
import { MAX_DURATION } from "../../src/core/options.ts";
import { SeededEntropy } from "../../src/testing/seeded-entropy.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** Writes down what the host is asked for. */
class HostCalls extends VirtualClock {
  readonly delays: number[] = [];
  readonly keptAlive: (boolean | undefined)[] = [];

  override set(delay: number, fn: () => void, keepAlive?: boolean): TimerHandle {
    this.delays.push(delay);
    this.keptAlive.push(keepAlive);
    return super.set(delay, fn);
  }
}

describe("a queue of deadlines", () => {
  it("fires in the order they are due, those of one moment in the order they were set", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, true);
    const fired: string[] = [];
    for (const [name, delay] of Object.entries({ c: 30, a1: 10, b: 20, a2: 10, a3: 10 })) {
      queue.set(new Alarm(() => fired.push(name)), delay);
    }
    await clock.advance(30);
    expect(fired).toEqual(["a1", "a2", "a3", "b", "c"]);
  });

  it("uses one host timer for all, none when empty, and none for Infinity", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, true);
    const alarms = [30, 10, 20].map((delay) => {
      const alarm = new Alarm(() => undefined);
      queue.set(alarm, delay);
      expect(clock.pending).toBe(1);
      return alarm;
    });
    expect(queue.size).toBe(3);
    for (const alarm of alarms) queue.drop(alarm);
    expect([queue.size, clock.pending]).toEqual([0, 0]);
    const [first = new Alarm(() => undefined)] = alarms;
    queue.set(first, 5);
    queue.set(first, Number.POSITIVE_INFINITY);
    expect([queue.size, clock.pending, first.due]).toEqual([0, 0, Number.POSITIVE_INFINITY]);
  });

  it("asks the host no more than once for deadlines that come later than the first", () => {
    const clock = new HostCalls();
    const queue = new DeadlineQueue(clock, true);
    for (let delay = 10; delay < 1_000; delay++) queue.set(new Alarm(() => undefined), delay);
    expect(clock.delays).toEqual([10]);
  });

  it("says how late it is", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, true);
    const late: number[] = [];
    queue.set(new Alarm((by) => late.push(by)), 10);
    queue.set(new Alarm((by) => late.push(by)), 35);
    queue.set(new Alarm((by) => late.push(by)), 60);
    clock.jump(40);
    await clock.settle();
    await clock.advance(20);
    expect(late).toEqual([30, 5, 0]);
  });

  it("has let go of a deadline before it fires it", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, true);
    const seen: number[] = [];
    const alarm = new Alarm(() => seen.push(queue.size, alarm.due, alarm.place));
    queue.set(alarm, 1);
    await clock.advance(1);
    expect(seen).toEqual([0, Number.POSITIVE_INFINITY, -1]);
  });

  it("lets a deadline set, move and drop others, itself included, as it fires", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, true);
    const fired: string[] = [];
    const note = (name: string): Alarm => new Alarm(() => fired.push(`${name}@${clock.now()}`));
    const [dropped, moved, added] = [note("dropped"), note("moved"), note("added")];
    const again: Alarm = new Alarm(() => {
      fired.push(`again@${clock.now()}`);
      queue.drop(dropped);
      queue.drop(again);
      queue.set(moved, 7);
      queue.set(added, 3);
      if (clock.now() < 20) queue.set(again, 10);
    });
    queue.set(again, 10);
    queue.set(dropped, 10);
    queue.set(moved, 10);
    await clock.advance(100);
    expect(fired).toEqual(["again@10", "added@13", "moved@17", "again@20", "added@23", "moved@27"]);
    expect(clock.pending).toBe(0);
  });

  it("does not hold up its turn for a deadline that sets itself to now", () => {
    const clock = new VirtualClock();
    const timers: (() => void)[] = [];
    clock.set = (_delay, fn) => timers.push(fn);
    const queue = new DeadlineQueue(clock, true);
    let fired = 0;
    const alarm: Alarm = new Alarm(() => {
      if (++fired < 1_000) queue.set(alarm, 0);
    });
    queue.set(alarm, 0);
    timers.shift()?.();
    expect(fired).toBe(1);
    timers.shift()?.();
    expect(fired, "and is fired in a later one").toBe(2);
  });

  it("fires the others although one throws", async () => {
    const clock = new VirtualClock();
    const queue = new DeadlineQueue(clock, true);
    const fired: string[] = [];
    queue.set(
      new Alarm(() => {
        throw new Error("thrown by an alarm");
      }),
      10,
    );
    queue.set(new Alarm(() => fired.push("same moment")), 10);
    queue.set(new Alarm(() => fired.push("later")), 20);
    await expect(clock.advance(10)).rejects.toThrow("thrown by an alarm");
    await clock.advance(10);
    expect(fired).toEqual(["same moment", "later"]);
    expect(clock.pending).toBe(0);
  });

  it("rounds up what it asks of the host, so that no timer comes too early", () => {
    const clock = new HostCalls();
    const queue = new DeadlineQueue(clock, true);
    clock.jump(0.4);
    queue.set(new Alarm(() => undefined), 10.5);
    queue.set(new Alarm(() => undefined), 0.1);
    expect(clock.delays).toEqual([11, 1]);
  });

  it("never asks the host for more than the longest timer it can set", async () => {
    const clock = new HostCalls();
    const queue = new DeadlineQueue(clock, true);
    clock.jump(0.1); // a sum with it is rounded up to more than the longest timer
    let fired = 0;
    queue.set(new Alarm(() => fired++), MAX_DURATION);
    queue.set(new Alarm(() => fired++), 2 ** 32);
    expect(Math.max(...clock.delays)).toBeLessThanOrEqual(MAX_DURATION);
    await clock.advance(MAX_DURATION + 1);
    expect(fired).toBe(1);
    await clock.advance(MAX_DURATION + 3);
    expect([fired, clock.pending]).toEqual([2, 0]);
    expect(Math.max(...clock.delays)).toBeLessThanOrEqual(MAX_DURATION);
  });

  it.each([true, false])("tells the host whether waiting keeps the process alive: %s", (keepAlive) => {
    const clock = new HostCalls();
    new DeadlineQueue(clock, keepAlive).set(new Alarm(() => undefined), 1);
    expect(clock.keptAlive).toEqual([keepAlive]);
  });

  it("is a sorted list, whatever is set, moved and dropped", async () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant("set" as const), n: fc.nat(39), ms: fc.integer({ min: 0, max: 400 }) }),
      fc.record({ op: fc.constant("drop" as const), n: fc.nat(39), ms: fc.constant(0) }),
      fc.record({ op: fc.constant("advance" as const), n: fc.constant(0), ms: fc.nat(60) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150, size: "max" }), async (steps) => {
        const clock = new VirtualClock();
        const queue = new DeadlineQueue(clock, true);
        const fired: string[] = [];
        const alarms = Array.from(
          { length: 40 },
          (_, n) => new Alarm((late) => fired.push(`${n}@${clock.now()}+${late}`)),
        );
        let list: { n: number; due: number }[] = [];
        const expected: string[] = [];
        for (const { op, n, ms } of steps) {
          if (op === "advance") {
            list.sort((a, b) => a.due - b.due); // stable: those of one moment stay in the order they were set
            const end = clock.now() + ms;
            for (const { n: due, due: at } of list.filter((entry) => entry.due <= end)) expected.push(`${due}@${at}+0`);
            list = list.filter((entry) => entry.due > end);
            await clock.advance(ms);
          } else {
            list = list.filter((entry) => entry.n !== n);
            if (op === "set") list.push({ n, due: clock.now() + ms });
            for (const alarm of alarms.slice(n, n + 1)) {
              if (op === "set") queue.set(alarm, ms);
              else queue.drop(alarm);
            }
          }
          expect(fired).toEqual(expected);
          expect(queue.size).toBe(list.length);
          expect(clock.pending).toBe(list.length > 0 ? 1 : 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("jitter", () => {
  it("is from 0 to the limit, the limit excluded", () => {
    expect(jitter({ u32: () => 0, id: () => "" }, 50)).toBe(0);
    expect(jitter({ u32: () => 0xffff_ffff, id: () => "" }, 50)).toBeLessThan(50);
    expect(jitter({ u32: () => 0x8000_0000, id: () => "" }, 50)).toBe(25);
  });

  it("is spread over all of it", () => {
    const entropy = new SeededEntropy(7);
    const tenths = new Set(Array.from({ length: 1_000 }, () => Math.floor(jitter(entropy, 10))));
    expect([...tenths].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("leaves a deadline alone that waits in another queue", async () => {
    const clock = new VirtualClock();
    const [one, other] = [new DeadlineQueue(clock, true), new DeadlineQueue(clock, false)];
    const fired: string[] = [];
    const alarm = new Alarm(() => fired.push("one"));
    one.set(alarm, 10);
    other.set(new Alarm(() => fired.push("other")), 10);
    other.drop(alarm);
    expect([one.size, other.size]).toEqual([1, 1]);
    await clock.advance(10);
    expect(fired.toSorted()).toEqual(["one", "other"]);
  });
});
