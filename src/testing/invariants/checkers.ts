/** All checkers of a simulated world, and what each of them proves. */
import type { Checker, Violation } from "./checker.ts";
import { BackpressureChecker } from "./backpressure-checker.ts";
import { StatsChecker } from "./stats-checker.ts";
import { SessionEndChecker } from "./session-end-checker.ts";
import { Concurrency } from "./concurrency.ts";
import { CheckerContext } from "./checker-context.ts";
import { FairShare } from "./fair-share.ts";
import { Identity } from "./identity.ts";
import { DrainChecker } from "./drain-checker.ts";
import { LivenessChecker } from "./liveness-checker.ts";
import { Oracle } from "./oracle.ts";
import { OrderChecker } from "./order.ts";
import { RelayChecker } from "./relay-checker.ts";
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

/** The checkers of one world. @param violation - Called for each breach of a promise. */
export function allCheckers(violation: Violation): CheckerSet {
  const context = new CheckerContext(violation);
  const sometimes = new Sometimes(context);
  const all = [
    context,
    new Oracle(violation, context),
    new Concurrency(violation),
    new Identity(violation, context),
    new OrderChecker(violation, context, (name) => sometimes.saw(name)),
    new Throttle(violation, context),
    new LivenessChecker(violation, context),
    new SessionEndChecker(violation, context),
    new DrainChecker(violation, context),
    new Settlement(violation, context),
    new RelayChecker(violation, context),
    new FairShare(violation),
    new StatsChecker(violation, context),
    new BackpressureChecker(violation, context),
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
  "settles-once": { checkers: ["settlement"] },
  "settles-in-time": { checkers: ["settlement"] },
  "current-answer-counts": { checkers: ["oracle"] },
  "value-of-handler": {
    checkers: ["concurrency"],
    elsewhere: "with current-answer-counts: the value sent is the handler's, the value given is the one sent",
  },
  "fitting-error": { checkers: ["settlement"] },
  "leaves-nothing-behind": {
    checkers: ["stats-checker", "oracle"],
    elsewhere: "the leak test of the suite sees listeners of signals",
  },
  "within-capacity": { checkers: ["oracle", "stats-checker"] },
  "handlers-within-capacity": { checkers: ["concurrency"] },
  "recalled-never-begins": { checkers: ["concurrency"] },
  "one-current-attempt": { checkers: ["oracle"] },
  "counts-add-up": { checkers: ["stats-checker"] },
  "only-ready-workers": { checkers: ["oracle", "stats-checker", "order"] },
  "no-idle-slot": { checkers: ["stats-checker"] },
  "first-in-first-out": { checkers: ["order"] },
  "one-session-per-identity": { checkers: ["identity"] },
  "ended-connection-is-silent": { checkers: ["oracle"] },
  "identity-stays-with-principal": { checkers: ["identity"] },
  "attempts-limited": { checkers: ["oracle"] },
  "no-retry-of-final": { checkers: ["oracle"] },
  "retry-elsewhere": { checkers: ["order"] },
  "retries-throttled": { checkers: ["throttle"] },
  recovers: {
    checkers: [],
    elsewhere: "only the scenario knows when its faults are healed: the simulations of liveness",
  },
  "no-end-without-cause": { checkers: ["liveness-checker", "session-end-checker"] },
  "dead-peer-detected": { checkers: ["liveness-checker"] },
  "nothing-left-at-end": {
    checkers: ["stats-checker"],
    elsewhere: "the leak test of the suite sees rejections and warnings",
  },
  "drain-keeps-promises": { checkers: ["drain-checker"] },
  "leaving-loses-no-job": { checkers: ["drain-checker", "oracle", "concurrency"] },
  "within-bounds": { checkers: ["stats-checker", "backpressure-checker", "oracle"] },
  "nonsense-ends-its-connection": { checkers: ["oracle"], elsewhere: "the fuzz tests of the decoder" },
  "starts-once": { checkers: ["relay-checker"], elsewhere: "without relays: one-current-attempt and attempts-limited" },
  "relay-passes-on": { checkers: ["relay-checker"] },
  "relay-answers": { checkers: ["relay-checker"] },
  "relay-tells-its-fleet": { checkers: ["relay-checker"] },
  "fair-turns": {
    checkers: ["fair-share"],
    elsewhere: "with equal demand shares are equal: the simulated worlds of several runners count them",
  },
  "waits-unrefused": { checkers: ["fair-share"] },
  "same-seed-same-events": { checkers: [], elsewhere: "the golden hashes" },
  "no-outside-time-or-chance": { checkers: [], elsewhere: "the linter" },
  "required-labels": {
    checkers: ["oracle"],
    elsewhere: "that `verify` asks different principals: the tests of verification.ts",
  },
};
