/** What callers do to a runner, as data: a plan is a set of steps whose order the scheduler draws. edge-world.ts plays it. */
import * as fc from "fast-check";

/** What a job's handler does. */
export type Deed =
  | "value" // ends well, when its turn comes
  | "sync" // ends well at once
  | "throw" // fails
  | "retry" // fails and asks for another attempt
  | "polite" // ends at the abort, else when its turn comes
  | "delete" // has its own worker deleted first
  | "stop" // has the runner stopped first
  | "nest"; // hands the work to another job

/** How a job is run; the signal by number, -1 for none. */
export interface Manner {
  readonly deed: Deed;
  readonly signal: number;
  readonly attempts: number;
  readonly timeout: number;
  readonly deadline: number;
  readonly queueTimeout: number;
  readonly failFast: boolean;
}

/** Many jobs at once, and how they are read. */
export interface MapPlan {
  readonly step: "map";
  readonly deeds: readonly Deed[];
  readonly manner: Manner;
  /** Where the inputs come from; a silent one says nothing after its last. */
  readonly input: "array" | "generator" | "async" | "silent";
  /** The input that throws instead of coming, -1 for none. */
  readonly throwsAt: number;
  /** Outcomes read before the loop is left, -1 for all. */
  readonly leavesAfter: number;
  readonly slowReader: boolean;
  readonly ordered: boolean;
  readonly concurrency: number;
  readonly window: number;
}

/** One step. */
export type EdgeStep =
  | { readonly step: "execute"; readonly manner: Manner }
  | MapPlan
  | {
      readonly step: "hold";
      readonly manner: Manner;
      readonly deeds: readonly Deed[];
      readonly end: "return" | "throw" | "leave jobs behind";
    }
  | { readonly step: "acquire"; readonly manner: Manner; readonly releases: number }
  | { readonly step: "abort"; readonly signal: number; readonly withReason: boolean }
  | { readonly step: "start" | "stop" | "dispose" }
  | { readonly step: "drain"; readonly timeout: number; readonly queued: "run" | "reject" }
  | { readonly step: "delete"; readonly worker: number }
  | { readonly step: "start worker" | "drain worker" | "dispose worker" | "stop worker"; readonly worker: number };

/** A world and what happens in it. */
export interface EdgePlan {
  readonly seed: number;
  /** Whether timers of one instant fire in any order. */
  readonly shuffle: boolean;
  /** Whether the workers are there before anything is asked for. */
  readonly readyFirst: boolean;
  /** Whether the runner's events have a listener. */
  readonly listens: boolean;
  readonly maxQueue: number;
  readonly workers: readonly {
    readonly capacity: number;
    readonly blocking: boolean;
    readonly maxJobs: number;
  }[];
  readonly steps: readonly EdgeStep[];
  /** What passes between two steps: 0 nothing, 1 a microtask, 2 a turn of the host, 3 all that is due, else so many ms. */
  readonly paces: readonly number[];
}

/** The signals callers share. */
export const SIGNALS = 3;

const never = Number.POSITIVE_INFINITY;
const worker = fc.nat({ max: 2 });

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<Deed>("value", "sync", "throw", "retry", "polite", "nest") },
  { weight: 1, arbitrary: fc.constantFrom<Deed>("delete", "stop") },
);

const manner: fc.Arbitrary<Manner> = fc.record({
  deed,
  signal: fc.integer({ min: -1, max: SIGNALS - 1 }),
  attempts: fc.integer({ min: 1, max: 3 }),
  timeout: fc.integer({ min: 5, max: 200 }),
  deadline: fc.oneof(fc.constant(never), fc.integer({ min: 1, max: 400 })),
  queueTimeout: fc.oneof(fc.constant(never), fc.integer({ min: 1, max: 300 })),
  failFast: fc.nat({ max: 9 }).map((n) => n === 0),
});

const map: fc.Arbitrary<MapPlan> = fc.record({
  step: fc.constant("map"),
  deeds: fc.array(deed, { maxLength: 6 }),
  manner,
  input: fc.constantFrom("array", "generator", "async", "silent"),
  throwsAt: fc.integer({ min: -1, max: 6 }),
  leavesAfter: fc.integer({ min: -1, max: 5 }),
  slowReader: fc.boolean(),
  ordered: fc.boolean(),
  concurrency: fc.integer({ min: 1, max: 4 }),
  window: fc.integer({ min: 1, max: 4 }),
});

function one<S extends string>(...step: S[]): fc.Arbitrary<S> {
  return fc.constantFrom(...step);
}

const step: fc.Arbitrary<EdgeStep> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ step: one("execute"), manner }) },
  { weight: 7, arbitrary: map },
  {
    weight: 5,
    arbitrary: fc.record({
      step: one("hold"),
      manner,
      deeds: fc.array(deed, { maxLength: 3 }),
      end: one("return", "throw", "leave jobs behind"),
    }),
  },
  { weight: 5, arbitrary: fc.record({ step: one("acquire"), manner, releases: fc.integer({ min: 1, max: 2 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ step: one("abort"), signal: fc.nat({ max: SIGNALS - 1 }), withReason: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ step: one("delete"), worker }) },
  { weight: 3, arbitrary: fc.record({ step: one("start", "start", "stop", "dispose") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      step: one("drain"),
      timeout: fc.integer({ min: 1, max: 500 }),
      queued: one("run", "reject"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ step: one("start worker", "drain worker", "dispose worker", "stop worker"), worker }),
  },
);

/** Any plan. */
export const edgePlan: fc.Arbitrary<EdgePlan> = fc.record({
  seed: fc.nat(),
  shuffle: fc.boolean(),
  readyFirst: fc.boolean(),
  listens: fc.boolean(),
  maxQueue: fc.constantFrom(2, 1_000),
  workers: fc.array(
    fc.record({
      capacity: fc.integer({ min: 1, max: 3 }),
      blocking: fc.boolean(),
      maxJobs: fc.constantFrom(never, never, 1, 3),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  steps: fc.array(step, { minLength: 1, maxLength: 16, size: "max" }),
  paces: fc.array(fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(5, 50, 300)), { minLength: 1, maxLength: 12 }),
});
