import { describe, expect, it } from "vitest";
import type { ObservedRunner } from "../../../src/testing/invariants/checker.ts";
import { StallAllowance } from "../../../src/testing/invariants/stall-allowance.ts";

/** One runner, of which only the standing still is looked at. */
class Watch {
  readonly said: string[] = [];
  readonly allowance: StallAllowance = new StallAllowance((promise) => this.said.push(promise));
  #stoodStill = 0;

  at(now: number, more = 0): this {
    this.#stoodStill += more;
    const view: Pick<ObservedRunner, "machine" | "stoodStill"> = { machine: "r", stoodStill: this.#stoodStill };
    this.allowance.betweenEvents(now, [view as ObservedRunner]);
    return this;
  }

  stall(now: number, ms: number): this {
    this.allowance.observe({ kind: "machine", machine: "r", role: "runner", life: 1, state: "stalled", at: now });
    return this.at(now, ms);
  }

  claim(from: number, late: number, twice = false): readonly string[] {
    this.allowance.claim({ machine: "r", from, late, twice, promise: "late", what: "it came" });
    this.at(1_000_000);
    return this.said.splice(0);
  }
}

describe("a stall allowance", () => {
  it("has none with a runner that never stood still", () => {
    expect(new Watch().at(0).claim(0, 0.1)).toEqual(["late"]);
  });

  it("excuses as much as a stall took, and no more", () => {
    const watch = new Watch().at(0).stall(100, 50);
    expect(watch.claim(0, 50)).toEqual([]);
    expect(watch.claim(0, 51)).toEqual(["late"]);
  });

  it("excuses twice as much where that was asked for", () => {
    const watch = new Watch().at(0).stall(100, 50);
    expect(watch.claim(0, 100, true)).toEqual([]);
    expect(watch.claim(0, 101, true)).toEqual(["late"]);
  });

  it("excuses only what of a stall came after the limit began to run", () => {
    const watch = new Watch().at(0).stall(100, 50);
    expect(watch.claim(120, 30)).toEqual([]);
    expect(watch.claim(120, 31)).toEqual(["late"]);
    expect(watch.claim(150, 1)).toEqual(["late"]);
  });

  it("adds up a stall and another that began before it was over", () => {
    const watch = new Watch().at(0).stall(100, 50).stall(120, 30);
    expect(watch.allowance.lastStall("r")).toMatchObject({ from: 100, to: 180 });
    expect(watch.claim(160, 20)).toEqual([]);
    expect(watch.claim(160, 21)).toEqual(["late"]);
  });

  it("takes no jump for a stall, also after a stall that added nothing", () => {
    const watch = new Watch().at(0).stall(100, 50).stall(110, 0).at(120, 30);
    expect(watch.allowance.jumped("r", 120)).toBe(30);
    expect(watch.allowance.jumped("r", 121)).toBe(0);
  });

  it("forgets a life that is over, with what was claimed of it", () => {
    const watch = new Watch().at(0).stall(100, 50);
    watch.allowance.claim({ machine: "r", from: 0, late: 500, promise: "late", what: "it came" });
    watch.allowance.observe({ kind: "machine", machine: "r", role: "runner", life: 1, state: "down", at: 200 });
    watch.allowance.betweenEvents(200, []);
    expect(watch.said).toEqual([]);
    expect(watch.allowance.lastStall("r")).toBeUndefined();
  });
});
