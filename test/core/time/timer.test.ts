import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_DURATION, type TimerHandle } from "../../../src/core/time/clock.ts";
import { Timer } from "../../../src/core/time/timer.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { HandClock } from "../../properties/hand-clock.ts";

/** Writes down what the host is asked for. */
class HostCalls extends VirtualClock {
  readonly asked: [delay: number, keepAlive: boolean][] = [];

  override set(delay: number, fn: () => void, keepAlive = true): TimerHandle {
    this.asked.push([delay, keepAlive]);
    return super.set(delay, fn);
  }
}

function rig(keepAlive = true) {
  const clock = new HostCalls();
  const rings: [at: number, lateBy: number][] = [];
  const timer = new Timer(clock, keepAlive, (lateBy) => rings.push([clock.now(), lateBy]));
  return { clock, rings, timer };
}

describe("a timer", () => {
  it("rings once, says how late it is, and is then not set", async () => {
    const { clock, rings, timer } = rig();
    timer.set(9.5);
    expect([timer.due, clock.asked]).toEqual([9.5, [[10, true]]]);
    await clock.advance(30);
    expect([rings, timer.due, clock.pending]).toEqual([[[10, 0.5]], Number.POSITIVE_INFINITY, 0]);
  });

  it("keeps the process only when told to", () => {
    const { clock, timer } = rig(false);
    timer.set(1);
    expect(clock.asked).toEqual([[1, false]]);
    timer.drop();
  });

  it("is moved, dropped, and dropped by an endless wait, with one host timer at most", async () => {
    const { clock, rings, timer } = rig();
    timer.set(10);
    timer.set(5);
    expect(clock.pending).toBe(1);
    timer.drop();
    timer.drop();
    expect(clock.pending).toBe(0);
    timer.set(10);
    timer.set(Number.POSITIVE_INFINITY);
    expect([clock.pending, timer.due]).toEqual([0, Number.POSITIVE_INFINITY]);
    await clock.advance(20);
    expect(rings).toEqual([]);
  });

  it("can be set again by what it calls", async () => {
    const clock = new VirtualClock();
    const rings: number[] = [];
    const timer: Timer = new Timer(clock, true, () => {
      if (rings.push(clock.now()) < 3) timer.set(10);
    });
    timer.set(10);
    await clock.advance(100);
    expect([rings, clock.pending]).toEqual([[10, 20, 30], 0]);
  });

  it("rings at once when the time has passed", async () => {
    const { clock, rings, timer } = rig();
    await clock.advance(10);
    timer.setAt(4);
    expect(clock.asked).toEqual([[0, true]]);
    await clock.advance(0);
    expect(rings).toEqual([[10, 6]]);
  });

  it("takes a wait beyond the longest host timer in steps", async () => {
    const { clock, rings, timer } = rig();
    timer.set(MAX_DURATION + 5);
    await clock.advance(MAX_DURATION);
    expect([rings, clock.asked]).toEqual([
      [],
      [
        [MAX_DURATION, true],
        [5, true],
      ],
    ]);
    await clock.advance(5);
    expect(rings).toEqual([[MAX_DURATION + 5, 0]]);
  });
});

describe("a timer beside a single time", () => {
  it("rings when that has come, whatever is set, moved and dropped, and set again by its ring", () => {
    const step = fc.record({
      op: fc.constantFrom("set", "setAt", "drop", "pass", "pass", "stall"),
      ms: fc.oneof(fc.nat(60), fc.constantFrom(MAX_DURATION + 7, Number.POSITIVE_INFINITY)),
    });
    const again = fc.array(fc.option(fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), again, (steps, pauses) => {
        const clock = new HandClock();
        const rings: [at: number, lateBy: number][] = [];
        const expected: [at: number, lateBy: number][] = [];
        const pause = (n: number): number => pauses[n % pauses.length] ?? Number.POSITIVE_INFINITY;
        const timer: Timer = new Timer(clock, true, (lateBy) => {
          rings.push([clock.now(), lateBy]);
          timer.set(pause(rings.length));
        });
        let due = Number.POSITIVE_INFINITY;
        for (const { op, ms } of steps) {
          const now = clock.now();
          if (op === "set") timer.set(ms);
          else if (op === "setAt") timer.setAt(ms);
          else if (op === "drop") timer.drop();
          else if (op === "stall") clock.jump(Math.min(ms, 100));
          else clock.pass(Math.min(ms, 100));
          if (op === "set") due = now + ms;
          else if (op === "setAt") due = ms;
          else if (op === "drop") due = Number.POSITIVE_INFINITY;
          const end = op === "pass" ? clock.now() : Number.NEGATIVE_INFINITY;
          for (let at = Math.max(now, due); at <= end; at = Math.max(now, due)) {
            expected.push([at, at - due]);
            due = at + pause(expected.length);
          }
          expect(rings).toEqual(expected);
          expect([timer.due, clock.pending]).toEqual([due, due === Number.POSITIVE_INFINITY ? 0 : 1]);
          expect(clock.faults).toEqual([]);
        }
      }),
    );
  });
});
