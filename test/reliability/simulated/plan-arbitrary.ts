/** Plans as fast-check draws them: a failure shrinks to the few jobs, workers and faults it takes. */
import * as fc from "fast-check";
import {
  type CallPlan,
  FAULT_KINDS,
  type FaultPlan,
  type Manner,
  type Plan,
  type RunnerPlan,
  type WorkerPlan,
} from "./plan.ts";

const LENGTH = 2_000;

const ms = (most: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: most });
const maybe = (most: number): fc.Arbitrary<number | undefined> => fc.option(ms(most), { nil: undefined, freq: 4 });

const manner: fc.Arbitrary<Manner> = fc.constantFrom("ok", "sync", "polite", "throw", "retryable", "waits", "deaf");

const call: fc.Arbitrary<CallPlan> = fc.record({
  at: fc.integer({ min: 0, max: LENGTH }),
  takes: ms(200),
  manner,
  abortAfter: maybe(200),
  deadline: maybe(1_000),
  queueTimeout: maybe(1_000),
  attempts: maybe(3),
  failFast: fc.constant(false),
  huge: fc.constant(false),
  require: fc.oneof(fc.constant([]), fc.subarray(["cuda", "gpu"])),
  by: fc.constantFrom("execute", "held", "map"),
});

const worker: fc.Arbitrary<WorkerPlan> = fc.record({
  capacity: fc.integer({ min: 1, max: 4 }),
  blocking: fc.boolean(),
  maxJobs: maybe(10),
  // A worker that retires at once would hardly ever run a job.
  maxAge: fc.option(fc.integer({ min: 100, max: 2_000 }), { nil: undefined }),
  labels: fc.subarray(["cuda", "gpu"]),
  duplicate: fc.constant(false),
});

const faultBase = { at: fc.integer({ min: 0, max: LENGTH }), worker: fc.nat(3), lasts: ms(1_000) };

const fault: fc.Arbitrary<FaultPlan> = fc.oneof(
  fc.record({
    ...faultBase,
    kind: fc.constantFrom(...FAULT_KINDS.filter((kind) => kind !== "crash")),
  }),
  fc.record({ ...faultBase, kind: fc.constant("crash" as const), how: fc.constantFrom("fin", "rst", "silent") }),
);

const runner: fc.Arbitrary<RunnerPlan> = fc.record({
  heartbeat: fc.integer({ min: 50, max: 2_000 }),
  cancelGrace: ms(200),
  helloTimeout: fc.integer({ min: 100, max: 5_000 }),
  stallTimeout: fc.integer({ min: 100, max: 10_000 }),
  maxWorkers: fc.constant(10_000),
  timeout: ms(500),
  acquireTimeout: ms(1_000),
  retryOnTimeout: fc.boolean(),
  attempts: fc.integer({ min: 1, max: 4 }),
  maxLost: fc.integer({ min: 1, max: 3 }),
  maxQueue: fc.constantFrom(2, 100_000),
  maxQueueBytes: fc.constantFrom(2_000, Number.POSITIVE_INFINITY),
  highWater: fc.constantFrom(200, 1_048_576),
  prefetch: fc.constantFrom<("auto" | number)[]>("auto", 0, 1, 8),
});

/** Any small world. */
export const planArbitrary: fc.Arbitrary<Plan> = fc.record({
  runner,
  reconnectMax: fc.integer({ min: 20, max: 1_000 }),
  latency: fc.constantFrom<Plan["latency"][]>([0, 0], [1, 2], [0, 20]),
  payload: fc.constantFrom(0, 500),
  workers: fc.array(worker, { minLength: 1, maxLength: 4 }),
  calls: fc.array(call, { maxLength: 20 }),
  faults: fc.array(fault, { maxLength: 8 }),
  calmAt: fc.constant(LENGTH),
  lostForGood: fc.constant(0),
  ending: fc.constantFrom("stop", "drain", "drain-reject"),
});
