/** What several checkers look at: the model of the wire, the runners' numbers, and what standing still excuses. */
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { Observation } from "../history/observation.ts";
import { SessionEnds } from "./session-ends.ts";
import { StatsSampler } from "./stats-sampler.ts";
import { WireModel } from "./wire-model.ts";
import { StallAllowance } from "./stall-allowance.ts";

/** What the checkers of one world share. Has to be shown each observation before the checkers that use it. */
export class CheckerContext implements Checker {
  /** What the frames say. */
  readonly wire: WireModel = new WireModel();
  /** Sessions that ended, and how. */
  readonly ends: SessionEnds;
  /** What is late, and what excuses it. */
  readonly allowance: StallAllowance;
  /** What the runners say of themselves. */
  readonly sampler: StatsSampler = new StatsSampler();

  /** @param violation - Called for what came late without an excuse. */
  constructor(violation: Violation) {
    this.ends = new SessionEnds(this.wire);
    this.allowance = new StallAllowance(violation);
  }

  observe(seen: Observation): void {
    this.wire.observe(seen);
    this.allowance.observe(seen);
    this.ends.observe(seen);
    this.sampler.observe(seen);
  }

  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    this.wire.betweenEvents(now, runners);
    this.allowance.betweenEvents(now, runners);
    this.sampler.betweenEvents(now, runners);
  }

  atEnd(now: number, runners: readonly ObservedRunner[]): void {
    this.allowance.atEnd(now, runners);
  }
}
