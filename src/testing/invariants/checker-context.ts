/** What several checkers look at: the books on the frames, the runners' numbers, and what standing still excuses. */
import type { Checker, RunnerView, Violation } from "./checker.ts";
import type { Observation } from "../history/observation.ts";
import { Departures } from "./session-ends.ts";
import { Glances } from "./stats-sampler.ts";
import { Ledger } from "./wire-model.ts";
import { Patience } from "./stall-allowance.ts";

/** The evidence of one world. Has to be shown each observation before the checkers that use it. */
export class Evidence implements Checker {
  /** What the frames say. */
  readonly ledger: Ledger = new Ledger();
  /** Who has gone, and how. */
  readonly departures: Departures;
  /** What is late, and what excuses it. */
  readonly patience: Patience;
  /** What the runners say of themselves. */
  readonly glances: Glances = new Glances();

  /** @param violation - Is told of what came late without an excuse. */
  constructor(violation: Violation) {
    this.departures = new Departures(this.ledger);
    this.patience = new Patience(violation);
  }

  observe(seen: Observation): void {
    this.ledger.observe(seen);
    this.patience.observe(seen);
    this.departures.observe(seen);
    this.glances.observe(seen);
  }

  betweenEvents(now: number, runners: readonly RunnerView[]): void {
    this.ledger.betweenEvents(now, runners);
    this.patience.betweenEvents(now, runners);
    this.glances.betweenEvents(now, runners);
  }

  atEnd(now: number, runners: readonly RunnerView[]): void {
    this.patience.atEnd(now, runners);
  }
}
