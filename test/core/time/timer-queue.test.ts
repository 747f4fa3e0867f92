import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_DURATION, type TimerHandle } from "../../../src/core/time/clock.ts";
import { CallbackEntry, TimerQueue } from "../../../src/core/time/timer-queue.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { HandClock } from "../../properties/hand-clock.ts";

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
    const queue = new TimerQueue(clock, true);
    const fired: string[] = [];
    for (const [name, delay] of Object.entries({ c: 30, a1: 10, b: 20, a2: 10, a3: 10 })) {
      queue.set(new CallbackEntry(() => fired.push(name)), delay);
    }
    await clock.advance(30);
    expect(fired).toEqual(["a1", "a2", "a3", "b", "c"]);
  });

  it("uses one host timer for all, none when empty, and none for Infinity", async () => {
    const clock = new VirtualClock();
    const queue = new TimerQueue(clock, true);
    const alarms = [30, 10, 20].map((delay) => {
      const alarm = new CallbackEntry(() => undefined);
      queue.set(alarm, delay);
      expect(clock.pending).toBe(1);
      return alarm;
    });
    expect(queue.size).toBe(3);
    for (const alarm of alarms) queue.drop(alarm);
    expect([queue.size, clock.pending]).toEqual([0, 0]);
    const [first = new CallbackEntry(() => undefined)] = alarms;
    queue.set(first, 5);
    queue.set(first, Number.POSITIVE_INFINITY);
    expect([queue.size, clock.pending, first.due]).toEqual([0, 0, Number.POSITIVE_INFINITY]);
  });

  it("asks the host no more than once for deadlines that come later than the first", () => {
    const clock = new HostCalls();
    const queue = new TimerQueue(clock, true);
    for (let delay = 10; delay < 1_000; delay++) queue.set(new CallbackEntry(() => undefined), delay);
    expect(clock.delays).toEqual([10]);
  });

  it("says how late it is", async () => {
    const clock = new VirtualClock();
    const queue = new TimerQueue(clock, true);
    const late: number[] = [];
    queue.set(new CallbackEntry((by) => late.push(by)), 10);
    queue.set(new CallbackEntry((by) => late.push(by)), 35);
    queue.set(new CallbackEntry((by) => late.push(by)), 60);
    clock.jump(40);
    await clock.settle();
    await clock.advance(20);
    expect(late).toEqual([30, 5, 0]);
  });

  it("has let go of a deadline before it fires it", async () => {
    const clock = new VirtualClock();
    const queue = new TimerQueue(clock, true);
    const seen: number[] = [];
    const alarm = new CallbackEntry(() => seen.push(queue.size, alarm.due, alarm.place));
    queue.set(alarm, 1);
    await clock.advance(1);
    expect(seen).toEqual([0, Number.POSITIVE_INFINITY, -1]);
  });

  it("lets a deadline set, move and drop others, itself included, as it fires", async () => {
    const clock = new VirtualClock();
    const queue = new TimerQueue(clock, true);
    const fired: string[] = [];
    const note = (name: string): CallbackEntry => new CallbackEntry(() => fired.push(`${name}@${clock.now()}`));
    const [dropped, moved, added] = [note("dropped"), note("moved"), note("added")];
    const again: CallbackEntry = new CallbackEntry(() => {
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
    const queue = new TimerQueue(clock, true);
    let fired = 0;
    const alarm: CallbackEntry = new CallbackEntry(() => {
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
    const queue = new TimerQueue(clock, true);
    const fired: string[] = [];
    queue.set(
      new CallbackEntry(() => {
        throw new Error("thrown by an alarm");
      }),
      10,
    );
    queue.set(new CallbackEntry(() => fired.push("same moment")), 10);
    queue.set(new CallbackEntry(() => fired.push("later")), 20);
    await expect(clock.advance(10)).rejects.toThrow("thrown by an alarm");
    await clock.advance(10);
    expect(fired).toEqual(["same moment", "later"]);
    expect(clock.pending).toBe(0);
  });

  it("rounds up what it asks of the host, so that no timer comes too early", () => {
    const clock = new HostCalls();
    const queue = new TimerQueue(clock, true);
    clock.jump(0.4);
    queue.set(new CallbackEntry(() => undefined), 10.5);
    queue.set(new CallbackEntry(() => undefined), 0.1);
    expect(clock.delays).toEqual([11, 1]);
  });

  it("never asks the host for more than the longest timer it can set", async () => {
    const clock = new HostCalls();
    const queue = new TimerQueue(clock, true);
    clock.jump(0.1); // a sum with it is rounded up to more than the longest timer
    let fired = 0;
    queue.set(new CallbackEntry(() => fired++), MAX_DURATION);
    queue.set(new CallbackEntry(() => fired++), 2 ** 32);
    expect(Math.max(...clock.delays)).toBeLessThanOrEqual(MAX_DURATION);
    await clock.advance(MAX_DURATION + 1);
    expect(fired).toBe(1);
    await clock.advance(MAX_DURATION + 3);
    expect([fired, clock.pending]).toEqual([2, 0]);
    expect(Math.max(...clock.delays)).toBeLessThanOrEqual(MAX_DURATION);
  });

  it.each([true, false])("tells the host whether waiting keeps the process alive: %s", (keepAlive) => {
    const clock = new HostCalls();
    new TimerQueue(clock, keepAlive).set(new CallbackEntry(() => undefined), 1);
    expect(clock.keptAlive).toEqual([keepAlive]);
  });

  it("is a sorted list, whatever is set, moved and dropped", { timeout: 120_000 }, async () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant("set" as const), n: fc.nat(39), ms: fc.integer({ min: 0, max: 400 }) }),
      fc.record({ op: fc.constant("drop" as const), n: fc.nat(39), ms: fc.constant(0) }),
      fc.record({ op: fc.constant("advance" as const), n: fc.constant(0), ms: fc.nat(60) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150, size: "max" }), async (steps) => {
        const clock = new VirtualClock();
        const queue = new TimerQueue(clock, true);
        const fired: string[] = [];
        const alarms = Array.from(
          { length: 40 },
          (_, n) => new CallbackEntry((late) => fired.push(`${n}@${clock.now()}+${late}`)),
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
          assert.deepEqual(fired, expected);
          assert.equal(queue.size, list.length);
          assert.equal(clock.pending, list.length > 0 ? 1 : 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("leaves a deadline alone that waits in another queue", async () => {
    const clock = new VirtualClock();
    const [one, other] = [new TimerQueue(clock, true), new TimerQueue(clock, false)];
    const fired: string[] = [];
    const alarm = new CallbackEntry(() => fired.push("one"));
    one.set(alarm, 10);
    other.set(new CallbackEntry(() => fired.push("other")), 10);
    other.drop(alarm);
    expect([one.size, other.size]).toEqual([1, 1]);
    await clock.advance(10);
    expect(fired.toSorted()).toEqual(["one", "other"]);
  });
});

describe("deadlines that come again and again with the same delay", () => {
  const DELAYS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233] as const;

  /** What was set, in a list that is sorted anew each time. */
  class Sorted {
    list: { readonly n: number; readonly due: number; readonly turn: number }[] = [];
    #turn = 0;

    set(n: number, due: number): void {
      this.drop(n);
      this.list.push({ n, due, turn: this.#turn++ });
    }

    drop(n: number): void {
      this.list = this.list.filter((entry) => entry.n !== n);
    }

    due(now: number): number[] {
      const ripe = this.list.filter(({ due }) => due <= now).sort((a, b) => a.due - b.due || a.turn - b.turn);
      this.list = this.list.filter(({ due }) => due > now);
      return ripe.map(({ n }) => n);
    }
  }

  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ op: fc.constant("set" as const), n: fc.nat(29), ms: fc.constantFrom(...DELAYS) }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("set" as const), n: fc.nat(29), ms: fc.nat(300) }) },
    // A moment that somebody looked up a while ago.
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("set late" as const), n: fc.nat(29), ms: fc.constantFrom(...DELAYS) }),
    },
    { weight: 3, arbitrary: fc.record({ op: fc.constant("drop" as const), n: fc.nat(29), ms: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("advance" as const), n: fc.constant(0), ms: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("stall" as const), n: fc.constant(0), ms: fc.nat(40) }) },
  );

  it("ring as from one sorted list, in lanes or not, whatever is set, moved, dropped and set by those that ring", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200, size: "max" }),
        fc.array(fc.option(fc.constantFrom(...DELAYS)), { minLength: 30, maxLength: 30 }),
        (steps, again) => {
          const clock = new HandClock();
          const queue = new TimerQueue(clock, true);
          const model = new Sorted();
          const rang: number[] = [];
          const alarms = Array.from({ length: 30 }, (_, n) => {
            const alarm: CallbackEntry = new CallbackEntry(() => {
              rang.push(n);
              const delay = again[n];
              if (delay !== null && delay !== undefined && rang.length % 3 === 0) queue.set(alarm, delay);
            });
            return alarm;
          });
          let counted = 0;
          const expected: number[] = [];
          /** One round of the model: all that is due, and what those set that ring. */
          const ring = (now: number): void => {
            for (const n of model.due(now)) {
              expected.push(n);
              const delay = again[n];
              if (delay !== null && delay !== undefined && expected.length % 3 === 0) model.set(n, now + delay);
            }
          };
          for (const { op, n, ms } of steps) {
            const alarm = alarms[n];
            if (alarm === undefined) continue;
            const now = clock.now();
            if (op === "set") {
              queue.set(alarm, ms);
              model.set(n, now + ms);
            } else if (op === "set late") {
              queue.set(alarm, ms, Math.max(0, now - 7));
              model.set(n, Math.max(0, now - 7) + ms);
            } else if (op === "drop") {
              queue.drop(alarm);
              model.drop(n);
            } else if (op === "stall") {
              clock.jump(ms);
            } else {
              for (let ms1 = 0; ms1 <= ms; ms1++) {
                clock.pass(ms1 === 0 ? 0 : 1);
                ring(clock.now());
              }
            }
            assert.deepEqual(rang.slice(counted), expected.slice(counted));
            counted = rang.length;
            assert.equal(queue.size, model.list.length);
            assert.equal(clock.pending, model.list.length > 0 ? 1 : 0);
            for (const { n: each, due } of model.list) assert.equal(alarms[each]?.due, due);
          }
          assert.deepEqual(clock.faults, []);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("are dropped from another queue as little as single ones, and moved from lane to lane", async () => {
    const clock = new VirtualClock();
    const [one, other] = [new TimerQueue(clock, true), new TimerQueue(clock, true)];
    const fired: string[] = [];
    const alarms = ["a", "b", "c"].map((name) => new CallbackEntry(() => fired.push(`${name}@${clock.now()}`)));
    for (const alarm of alarms) one.set(alarm, 10);
    const [a, b, c] = alarms;
    if (a === undefined || b === undefined || c === undefined) throw new Error("three were made");
    other.drop(b);
    one.set(b, 20);
    one.set(a, 10);
    one.drop(c);
    await clock.advance(30);
    expect(fired).toEqual(["a@10", "b@20"]);
    expect([a.lane, a.sooner, a.later, b.lane, c.lane]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("find a lane of their own again after others had all of them", async () => {
    const clock = new VirtualClock();
    const queue = new TimerQueue(clock, true);
    const alarms = Array.from({ length: 20 }, () => new CallbackEntry(() => undefined));
    for (const [n, alarm] of alarms.entries()) queue.set(alarm, 100 + n);
    expect(alarms.map(({ lane }) => lane !== undefined)).toEqual(alarms.map((_, n) => n < 8));
    await clock.advance(200);
    for (const alarm of alarms) queue.set(alarm, 7);
    expect(alarms.every(({ lane }) => lane?.delay === 7)).toBe(true);
    for (const alarm of alarms) queue.drop(alarm);
    expect([queue.size, clock.pending]).toEqual([0, 0]);
  });
});

describe("deadlines that change others as they ring", () => {
  const COUNT = 60;
  /** With these every lane is taken, so that all other delays are in the heap. */
  const IN_LANES = [1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007, 1_008];

  interface Change {
    readonly op: "set" | "drop";
    readonly n: number;
    readonly ms: number;
  }

  interface Entry {
    readonly n: number;
    readonly due: number;
    readonly turn: number;
  }

  /** A list that is searched for the earliest. */
  class Searched {
    list: Entry[] = [];
    #turn = 0;
    readonly rang: number[] = [];

    change({ op, n, ms }: Change, now: number): void {
      this.list = this.list.filter((entry) => entry.n !== n);
      if (op === "set") this.list.push({ n, due: now + ms, turn: this.#turn++ });
    }

    /** One round: what was set during it rings in the next one. */
    ring(now: number, changes: readonly (readonly Change[])[]): void {
      const turn = this.#turn;
      for (let first = this.#first(); first !== undefined && first.due <= now; first = this.#first()) {
        const { n } = first;
        if (first.turn >= turn) return this.ring(now, changes);
        this.list = this.list.filter((entry) => entry.n !== n);
        this.rang.push(n);
        for (const change of changes[n] ?? []) this.change(change, now);
      }
    }

    #first(): Entry | undefined {
      return this.list.toSorted((a, b) => a.due - b.due || a.turn - b.turn)[0];
    }
  }

  const ms = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 400 }) },
    { weight: 1, arbitrary: fc.constantFrom(...IN_LANES, 10, 10) },
  );
  const change = fc.record({ op: fc.constantFrom("set", "set", "drop"), n: fc.nat(COUNT - 1), ms });
  const step = fc.oneof(
    { weight: 9, arbitrary: change },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("stall" as const), ms: fc.nat(120) }) },
  );

  function play(
    steps: readonly (Change | { op: "stall"; ms: number })[],
    changes: readonly (readonly Change[])[],
  ): void {
    const clock = new HandClock();
    const queue = new TimerQueue(clock, true);
    const model = new Searched();
    const rang: number[] = [];
    const set = ({ op, n, ms: delay }: Change): void => {
      const alarm = alarms[n];
      if (alarm === undefined) return;
      if (op === "set") queue.set(alarm, delay);
      else queue.drop(alarm);
    };
    const alarms = Array.from({ length: COUNT + IN_LANES.length }, (_, n) => {
      const ring = (): void => {
        rang.push(n);
        for (const each of changes[n] ?? []) set(each);
      };
      return new CallbackEntry(ring);
    });
    for (const [i, delay] of IN_LANES.entries()) {
      const inLane: Change = { op: "set", n: COUNT + i, ms: delay };
      set(inLane);
      model.change(inLane, clock.now());
    }
    for (const each of steps) {
      if (each.op === "stall") {
        clock.jump(each.ms);
        clock.pass(0);
        model.ring(clock.now(), changes);
      } else {
        set(each);
        model.change(each, clock.now());
      }
      expect(rang.splice(0)).toEqual(model.rang.splice(0));
      expect([queue.size, clock.pending]).toEqual([model.list.length, model.list.length > 0 ? 1 : 0]);
    }
    for (const alarm of alarms) queue.drop(alarm);
    expect([queue.size, clock.pending]).toEqual([0, 0]);
  }

  it(
    "ring in the order of a list that is searched each time, from the heap and from lanes",
    { timeout: 120_000 },
    () => {
      fc.assert(
        fc.property(
          fc.array(step, { minLength: 40, maxLength: 160, size: "max" }),
          fc.array(fc.oneof(fc.constant([]), fc.array(change, { maxLength: 3 })), {
            minLength: COUNT,
            maxLength: COUNT,
          }),
          play,
        ),
        { numRuns: 200 },
      );
    },
  );
});
