/** All checkers of a simulated world, and what each of them proves. */
import type { Checker, Violation } from "./checker.ts";
import { Backlogs } from "./backpressure-checker.ts";
import { Books } from "./stats-checker.ts";
import { Causes } from "./session-end-checker.ts";
import { Concurrency } from "./concurrency.ts";
import { Evidence } from "./checker-context.ts";
import { Identity } from "./identity.ts";
import { Leaving } from "./drain-checker.ts";
import { Liveness } from "./liveness-checker.ts";
import { Oracle } from "./oracle.ts";
import { Order } from "./order.ts";
import { Settlement } from "./settlement.ts";
import { Sometimes } from "./sometimes.ts";
import { Throttle } from "./throttle.ts";

/** What watches one world. */
export interface CheckerSet {
  /** The checkers, in the order in which they have to be shown what is seen. */
  readonly all: readonly Checker[];
  /** One of them: it counts the rare things. */
  readonly sometimes: Sometimes;
}

/** The checkers of one world. @param violation - Is told of each promise that is broken. */
export function allCheckers(violation: Violation): CheckerSet {
  const evidence = new Evidence(violation);
  const sometimes = new Sometimes(evidence);
  const all = [
    evidence,
    new Oracle(violation, evidence),
    new Concurrency(violation),
    new Identity(violation, evidence),
    new Order(violation, evidence, (name) => sometimes.saw(name)),
    new Throttle(violation, evidence),
    new Liveness(violation, evidence),
    new Causes(violation, evidence),
    new Leaving(violation, evidence),
    new Settlement(violation, evidence),
    new Books(violation, evidence),
    new Backlogs(violation, evidence),
    sometimes,
  ];
  return { all, sometimes };
}

/** Where a promise is proven: by these checkers, or elsewhere. */
export interface Proof {
  /** Files of this folder, without `.ts`; none when it is proven elsewhere only. */
  readonly checkers: readonly string[];
  /** What else proves it, or why no checker can. */
  readonly elsewhere?: string;
}

/** The promises by name, and where each is proven. */
export const PROOFS: Readonly<Record<string, Proof>> = {
  I1: { checkers: ["settlement"] },
  I2: { checkers: ["settlement"] },
  I3: { checkers: ["oracle"] },
  I4: {
    checkers: ["concurrency"],
    elsewhere: "with I3: the value sent is the handler's, the value given is the one sent",
  },
  I5: { checkers: ["settlement"] },
  I6: { checkers: ["stats-checker", "oracle"], elsewhere: "the leak test of the suite sees listeners of signals" },
  I7: { checkers: ["oracle", "stats-checker"] },
  I8: { checkers: ["concurrency"] },
  I9: { checkers: ["oracle"] },
  I10: { checkers: ["stats-checker"] },
  I11: { checkers: ["oracle", "stats-checker", "order"] },
  I12: { checkers: ["stats-checker"] },
  I13: { checkers: ["order"] },
  I14: { checkers: ["identity"] },
  I15: { checkers: ["oracle"] },
  I16: { checkers: ["identity"] },
  I17: { checkers: ["oracle"] },
  I18: { checkers: ["oracle"] },
  I19: { checkers: ["order"] },
  I20: { checkers: ["throttle"] },
  I21: { checkers: [], elsewhere: "whoever heals the faults knows when: the simulations of liveness" },
  I22: { checkers: ["liveness-checker", "session-end-checker"] },
  I23: { checkers: ["liveness-checker"] },
  I24: { checkers: ["stats-checker"], elsewhere: "the leak test of the suite sees rejections and warnings" },
  I25: { checkers: ["drain-checker"] },
  I26: { checkers: ["drain-checker", "oracle", "concurrency"] },
  I27: { checkers: ["stats-checker", "backpressure-checker"] },
  I28: { checkers: ["oracle"], elsewhere: "the fuzz tests of the decoder" },
  I29: { checkers: [], elsewhere: "the golden hashes" },
  I30: { checkers: [], elsewhere: "the linter" },
  I31: { checkers: ["oracle"], elsewhere: "that `verify` asks different principals: the tests of verification.ts" },
};
