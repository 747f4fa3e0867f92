/** P5: what is tried again, when, and how much of it at all, is what the table in docs/semantics.md says. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Random } from "../../src/core/time/clock.ts";
import { type AttemptFailure, nextRetryDelay, RetryThrottle } from "../../src/core/dispatch/retry.ts";
import { type Case, retryTable } from "./retry-table.ts";
import type { Statement } from "./statement.ts";

/** The tokens in tenths, so that nothing is rounded. */
class ThrottleModel {
  #tenths = 100;

  refill(): void {
    this.#tenths = Math.min(100, this.#tenths + 1);
  }

  spend(): boolean {
    this.#tenths = Math.max(0, this.#tenths - 10);
    return this.#tenths > 50;
  }
}

const failure: fc.Arbitrary<AttemptFailure> = fc.oneof(
  fc.constant<AttemptFailure>({ kind: "not-sent" }),
  fc.constantFrom<AttemptFailure>(
    { kind: "rejected", reason: "draining" },
    { kind: "rejected", reason: "overloaded" },
    { kind: "rejected", reason: "unfit", hasOther: true },
    { kind: "rejected", reason: "unfit", hasOther: false },
  ),
  fc.constant<AttemptFailure>({ kind: "lost" }),
  fc.constant<AttemptFailure>({ kind: "timeout" }),
  fc.record({
    kind: fc.constant("error" as const),
    retryable: fc.boolean(),
    retryAfter: fc.oneof(fc.constant(0), fc.nat({ max: 5_000 })),
  }),
);

const given: fc.Arbitrary<Case> = fc.record({
  failure,
  history: fc.record({
    made: fc.integer({ min: 1, max: 12 }),
    lost: fc.nat({ max: 4 }),
    rejected: fc.oneof(fc.nat({ max: 12 }), fc.integer({ min: 97, max: 103 })),
    left: fc.oneof(fc.integer({ min: -1, max: 6_000 }), fc.constant(Number.POSITIVE_INFINITY)),
  }),
  policy: fc.record({
    attempts: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(Number.MAX_SAFE_INTEGER)),
    maxLost: fc.integer({ min: 1, max: 5 }),
    retryOnTimeout: fc.boolean(),
    maxRetryAfter: fc.constantFrom(1, 2_500, Number.POSITIVE_INFINITY),
  }),
});

/** A failure, or so many successes. */
const step = fc.record({ given: fc.option(given, { freq: 4 }), successes: fc.nat({ max: 25 }) });
const share = fc.nat({ max: 0xffff_ffff });

/** P5, of retries. */
export const retry: readonly Statement[] = [
  {
    name: "P5: failures are tried again as the table of docs/semantics.md says, under one throttle",
    runs: 5_000,
    fullRuns: 200_000,
    meets: ["tried again", "given up", "throttled"],
    property: (tally) => {
      const table = retryTable();
      return fc.property(fc.array(step, { maxLength: 40, size: "max" }), share, (steps, drawn) => {
        const throttle = new RetryThrottle();
        const model = new ThrottleModel();
        const random: Random = { u32: () => drawn, id: () => "" };
        for (const { given: each, successes } of steps) {
          if (each === null) {
            for (let i = 0; i < successes; i++) throttle.refill();
            for (let i = 0; i < successes; i++) model.refill();
            continue;
          }
          const row = table[each.failure.kind];
          const again = row.again(each);
          const allowed = again && (!row.throttled || model.spend());
          const after = nextRetryDelay(each.failure, each.history, each.policy, throttle, random);
          assert.equal(after, allowed ? row.after(each, drawn / 2 ** 32) : undefined);
          tally.add(allowed ? "tried again" : again ? "throttled" : "given up");
        }
      });
    },
  },
];
