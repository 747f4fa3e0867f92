import { describe, expect, it } from "vitest";
import { Replacements } from "../../src/core/replacements.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";

describe("the count of replacements", () => {
  it("lets five through in a minute, then says when to come back", () => {
    const clock = new VirtualClock();
    const replacements = new Replacements(clock, 5);
    for (let i = 0; i < 5; i++) {
      expect(replacements.note("a")).toBe(0);
      clock.jump(1_000);
    }
    expect(replacements.note("a")).toBe(55_000);
    clock.jump(54_999);
    expect(replacements.note("a")).toBe(1);
    clock.jump(1);
    expect(replacements.note("a"), "the moment it was told").toBe(0);
    expect(replacements.note("a")).toBe(1_000);
  });

  it("does not count those it turned away: who keeps trying is let in all the same", () => {
    const clock = new VirtualClock();
    const replacements = new Replacements(clock, 5);
    for (let i = 0; i < 5; i++) replacements.note("a");
    for (let i = 0; i < 59; i++) {
      clock.jump(1_000);
      expect(replacements.note("a")).toBeGreaterThan(0);
    }
    clock.jump(1_000);
    expect(replacements.note("a")).toBe(0);
  });

  it("counts each name for itself, whatever it is called", () => {
    const replacements = new Replacements(new VirtualClock(), 5);
    const names = ["a", "b", "__proto__", "constructor"];
    for (const name of names) for (let i = 0; i < 5; i++) expect(replacements.note(name)).toBe(0);
    for (const name of names) expect(replacements.note(name)).toBe(60_000);
  });

  it("still knows a name in its minute after thousands of others have passed", () => {
    const clock = new VirtualClock();
    const replacements = new Replacements(clock, 5);
    for (let i = 0; i < 5; i++) replacements.note("a");
    clock.jump(30_000);
    for (let i = 0; i < 5_000; i++) replacements.note(`passing-${i}`);
    expect(replacements.note("a")).toBe(30_000);
    clock.jump(30_000);
    expect(replacements.note("a")).toBe(0);
  });

  it("forgets names whose minute is over once it knows more than a thousand, and no others", () => {
    const clock = new VirtualClock();
    const replacements = new Replacements(clock, 5);
    for (let i = 0; i < 1_000; i++) replacements.note(`old-${i}`);
    clock.jump(1);
    for (let i = 0; i < 23; i++) replacements.note(`young-${i}`);
    clock.jump(59_999);
    replacements.note("one more");
    expect(replacements.size, "1,024 may stay").toBe(1_024);
    replacements.note("one too many");
    expect(replacements.size).toBe(25);
    for (let i = 0; i < 4; i++) replacements.note("young-0");
    expect(replacements.note("young-0"), "its first one counts still").toBe(1);
  });
});
