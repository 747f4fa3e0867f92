import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FlapDetector } from "../../../src/core/runner/flap-detector.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

describe("the count of replacements", () => {
  it("lets five through in a minute, then says when to come back", () => {
    const clock = new VirtualClock();
    const replacements = new FlapDetector(clock, 5);
    for (let i = 0; i < 5; i++) {
      expect(replacements.record("a")).toBe(0);
      clock.jump(1_000);
    }
    expect(replacements.record("a")).toBe(55_000);
    clock.jump(54_999);
    expect(replacements.record("a")).toBe(1);
    clock.jump(1);
    expect(replacements.record("a"), "the moment it was told").toBe(0);
    expect(replacements.record("a")).toBe(1_000);
  });

  it("does not count those it turned away: who keeps trying is let in all the same", () => {
    const clock = new VirtualClock();
    const replacements = new FlapDetector(clock, 5);
    for (let i = 0; i < 5; i++) replacements.record("a");
    for (let i = 0; i < 59; i++) {
      clock.jump(1_000);
      expect(replacements.record("a")).toBeGreaterThan(0);
    }
    clock.jump(1_000);
    expect(replacements.record("a")).toBe(0);
  });

  it("counts each name for itself, whatever it is called", () => {
    const replacements = new FlapDetector(new VirtualClock(), 5);
    const names = ["a", "b", "__proto__", "constructor"];
    for (const name of names) for (let i = 0; i < 5; i++) expect(replacements.record(name)).toBe(0);
    for (const name of names) expect(replacements.record(name)).toBe(60_000);
  });

  it("still knows a name in its minute after thousands of others have passed", () => {
    const clock = new VirtualClock();
    const replacements = new FlapDetector(clock, 5);
    for (let i = 0; i < 5; i++) replacements.record("a");
    clock.jump(30_000);
    for (let i = 0; i < 5_000; i++) replacements.record(`passing-${i}`);
    expect(replacements.record("a")).toBe(30_000);
    clock.jump(30_000);
    expect(replacements.record("a")).toBe(0);
  });

  it("forgets names whose minute is over once it knows more than a thousand, and no others", () => {
    const clock = new VirtualClock();
    const replacements = new FlapDetector(clock, 5);
    for (let i = 0; i < 1_000; i++) replacements.record(`old-${i}`);
    clock.jump(1);
    for (let i = 0; i < 23; i++) replacements.record(`young-${i}`);
    clock.jump(59_999);
    replacements.record("one more");
    expect(replacements.size, "1,024 may stay").toBe(1_024);
    replacements.record("one too many");
    expect(replacements.size).toBe(25);
    for (let i = 0; i < 4; i++) replacements.record("young-0");
    expect(replacements.record("young-0"), "its first one counts still").toBe(1);
  });
});

describe("the count of replacements beside a list of all of them", () => {
  it("is what the list says, whenever they come", () => {
    const step = fc.record({
      identity: fc.constantFrom("a", "b", "c"),
      pause: fc.oneof(fc.nat(30_000), fc.constant(60_000)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), fc.integer({ min: 1, max: 5 }), (steps, allowed) => {
        const clock = new VirtualClock();
        const replacements = new FlapDetector(clock, allowed);
        const passed: { identity: string; at: number }[] = [];
        for (const { identity, pause } of steps) {
          clock.jump(pause);
          const now = clock.now();
          const recent = passed.filter((one) => one.identity === identity && one.at > now - 60_000);
          const [oldest] = recent;
          const wait = oldest === undefined || recent.length < allowed ? 0 : oldest.at + 60_000 - now;
          expect(replacements.record(identity)).toBe(wait);
          if (wait === 0) passed.push({ identity, at: now });
        }
      }),
    );
  });

  it("keeps no more than those of the last minute and a thousand others", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60_000), { minLength: 20, maxLength: 60, size: "max" }), (pauses) => {
        const clock = new VirtualClock();
        const replacements = new FlapDetector(clock, 5);
        const times: number[] = [];
        for (const [round, pause] of pauses.entries()) {
          clock.jump(pause);
          for (let n = 0; n < 200; n++) {
            replacements.record(`${round}/${n}`);
            times.push(clock.now());
          }
          const recent = times.filter((time) => time > clock.now() - 60_000).length;
          expect(replacements.size).toBeGreaterThanOrEqual(Math.min(recent, times.length));
          expect(replacements.size).toBeLessThanOrEqual(Math.max(1_024, recent));
        }
      }),
      { numRuns: 20 },
    );
  });
});
