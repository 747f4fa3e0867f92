import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Random } from "../../../src/core/time/clock.ts";
import {
  type AttemptFailure,
  type RetryHistory,
  nextRetryDelay,
  type RetryPolicy,
  RetryThrottle,
} from "../../../src/core/dispatch/retry.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";

/** Draws half of every limit. */
const half: Random = { u32: () => 0x8000_0000, id: () => "" };
const policy: RetryPolicy = { attempts: 3, maxLost: 2, retryOnTimeout: true, maxRetryAfter: 60_000 };
const once: RetryHistory = { made: 1, lost: 0, rejected: 0, left: Number.POSITIVE_INFINITY };

function decide(
  failure: AttemptFailure,
  history: Partial<RetryHistory> = {},
  wishes: Partial<RetryPolicy> = {},
): number | undefined {
  return nextRetryDelay(failure, { ...once, ...history }, { ...policy, ...wishes }, new RetryThrottle(), half);
}

function failed(retryable: boolean, retryAfter = 0): AttemptFailure {
  return { kind: "error", retryable, retryAfter };
}

function spent(): RetryThrottle {
  const throttle = new RetryThrottle();
  while (throttle.spend());
  return throttle;
}

describe("a failed attempt", () => {
  it.each<[string, AttemptFailure, Partial<RetryHistory>, Partial<RetryPolicy>, number | undefined]>([
    ["never left the runner: at once", { kind: "not-sent" }, { made: 0 }, {}, 0],
    [
      "never left the runner, and it was the last: at once, as it does not count",
      { kind: "not-sent" },
      { made: 3 },
      { attempts: 1 },
      0,
    ],
    [
      "was handed back: at once",
      { kind: "rejected", reason: "draining" },
      { made: 0, rejected: 1 },
      { attempts: 1 },
      0,
    ],
    [
      "was handed back for the second time: at once",
      { kind: "rejected", reason: "draining" },
      { made: 0, rejected: 2 },
      {},
      0,
    ],
    [
      "was handed back for the third time: at once",
      { kind: "rejected", reason: "draining" },
      { made: 0, rejected: 3 },
      {},
      0,
    ],
    [
      "was handed back for the fourth time: after a while",
      { kind: "rejected", reason: "draining" },
      { made: 0, rejected: 4 },
      {},
      25,
    ],
    [
      "was handed back for the fifth time: after a longer while",
      { kind: "rejected", reason: "draining" },
      { made: 0, rejected: 5 },
      {},
      50,
    ],
    [
      "was handed back for the ninety-ninth time: after the longest while",
      { kind: "rejected", reason: "draining" },
      { made: 0, rejected: 99 },
      {},
      1_000,
    ],
    [
      "was handed back for the hundredth time: no more",
      { kind: "rejected", reason: "draining" },
      { made: 0, rejected: 100 },
      {},
      undefined,
    ],
    ["was lost: after a while", { kind: "lost" }, { lost: 1 }, {}, 25],
    [
      "was lost for the second time: no more, as it may kill its workers",
      { kind: "lost" },
      { made: 2, lost: 2 },
      {},
      undefined,
    ],
    [
      "was lost for the second of three: after a longer while",
      { kind: "lost" },
      { made: 2, lost: 2 },
      { maxLost: 3 },
      50,
    ],
    ["was lost, and it may be once only", { kind: "lost" }, { lost: 1 }, { maxLost: 1 }, undefined],
    ["was lost, and it was the last", { kind: "lost" }, { made: 3, lost: 1 }, {}, undefined],
    ["was lost, at most once", { kind: "lost" }, { lost: 1 }, { attempts: 1 }, undefined],
    ["timed out: after a while", { kind: "timeout" }, {}, {}, 25],
    ["timed out for the second time: after a longer while", { kind: "timeout" }, { made: 2 }, {}, 50],
    ["timed out, and it was the last", { kind: "timeout" }, { made: 3 }, {}, undefined],
    ["timed out, and nobody wants it to run twice", { kind: "timeout" }, {}, { retryOnTimeout: false }, undefined],
    ["failed: no more", failed(false), {}, {}, undefined],
    ["failed, with a time but no wish to be tried again: no more", failed(false, 10), {}, {}, undefined],
    ["failed and wants to be tried again: after a while", failed(true), {}, {}, 25],
    ["failed and wants to be tried again, and it was the last", failed(true), { made: 3 }, {}, undefined],
    ["failed and wants to be tried again sooner than the backoff", failed(true, 5), {}, {}, 25],
    ["failed and wants to be tried again later than the backoff", failed(true, 4_000), {}, {}, 4_000],
    ["failed and wants to be tried again in 24.8 days: in a minute", failed(true, 2_147_483_647), {}, {}, 60_000],
    [
      "failed and wants to be tried again later than its caller likes",
      failed(true, 4_000),
      {},
      { maxRetryAfter: 9 },
      25,
    ],
    ["failed and wants to be tried again just before the deadline", failed(true, 4_000), { left: 4_001 }, {}, 4_000],
    [
      "failed and wants to be tried again at the deadline: no more",
      failed(true, 4_000),
      { left: 4_000 },
      {},
      undefined,
    ],
    [
      "failed and wants to be tried again after the deadline, and may before it",
      failed(true, 4_000),
      { left: 4_000 },
      { maxRetryAfter: 3_999 },
      3_999,
    ],
    ["failed and does not say when, at the deadline: after a while", failed(true), { left: 0 }, {}, 25],
  ])("%s", (_name, failure, history, wishes, after) => {
    expect(decide(failure, history, wishes)).toBe(after);
  });

  it("waits from 0 to 50 ms, twice as long each time, and never over two seconds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.integer(), (made, seed) => {
        const wishes = { ...policy, attempts: Number.MAX_SAFE_INTEGER, maxLost: Number.MAX_SAFE_INTEGER };
        const after = nextRetryDelay(
          { kind: "lost" },
          { ...once, made },
          wishes,
          new RetryThrottle(),
          new SeededRandom(seed),
        );
        expect(after).toBeGreaterThanOrEqual(0);
        expect(after).toBeLessThan(Math.min(2_000, 50 * 2 ** (made - 1)));
      }),
    );
  });
});

describe("the throttle", () => {
  it("stops after four retries without a success", () => {
    const throttle = new RetryThrottle();
    expect([1, 2, 3, 4, 5, 6].map(() => throttle.spend())).toEqual([true, true, true, true, false, false]);
  });

  it("takes ten successes to pay for one retry", () => {
    const throttle = new RetryThrottle();
    for (let i = 0; i < 5; i++) throttle.spend(); // 5 left
    for (let i = 0; i < 10; i++) throttle.refill(); // 6 left: the next one brings it back to 5
    expect(throttle.spend()).toBe(false);
    for (let i = 0; i < 11; i++) throttle.refill();
    expect(throttle.spend()).toBe(true);
  });

  it("never holds more than ten, nor owes any", () => {
    const full = new RetryThrottle();
    for (let i = 0; i < 1_000; i++) full.refill();
    expect([1, 2, 3, 4, 5].map(() => full.spend())).toEqual([true, true, true, true, false]);
    const empty = spent();
    for (let i = 0; i < 1_000; i++) empty.spend();
    for (let i = 0; i < 61; i++) empty.refill();
    expect(empty.spend(), "six tokens are six tokens").toBe(true);
  });

  it("bounds retries by successes", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 2_000, size: "max" }), (fails) => {
        const throttle = new RetryThrottle();
        let retries = 0;
        let successes = 0;
        for (const fail of fails) {
          if (!fail) {
            successes++;
            throttle.refill();
          } else if (throttle.spend()) retries++;
        }
        expect(retries).toBeLessThanOrEqual(10 + 0.1 * successes);
      }),
    );
  });

  it.each<[string, AttemptFailure, Partial<RetryHistory>, boolean]>([
    ["a timeout", { kind: "timeout" }, {}, true],
    ["an error", failed(true), {}, true],
    ["a job that never left", { kind: "not-sent" }, {}, false],
    ["a job handed back", { kind: "rejected", reason: "draining" }, { rejected: 1 }, false],
    ["a lost job", { kind: "lost" }, { lost: 1 }, false],
  ])("asked about %s", (_name, failure, history, stopped) => {
    expect(nextRetryDelay(failure, { ...once, ...history }, policy, spent(), half) === undefined).toBe(stopped);
  });

  it("is not charged for a failure that would not be tried again", () => {
    const throttle = new RetryThrottle();
    const hopeless: [AttemptFailure, RetryHistory, RetryPolicy][] = [
      [failed(false), once, policy],
      [failed(true), { ...once, made: 3 }, policy],
      [failed(true, 10), { ...once, left: 10 }, policy],
      [{ kind: "timeout" }, { ...once, made: 3 }, policy],
      [{ kind: "timeout" }, once, { ...policy, retryOnTimeout: false }],
      [{ kind: "lost" }, { ...once, lost: 1 }, policy],
    ];
    for (let i = 0; i < 10; i++) for (const [f, h, p] of hopeless) nextRetryDelay(f, h, p, throttle, half);
    expect([1, 2, 3, 4, 5].map(() => throttle.spend())).toEqual([true, true, true, true, false]);
  });
});

describe("a job that never left", () => {
  it("is tried again at once, whatever it has been through", () => {
    const history = { ...once, made: 0, rejected: 50 };
    expect(nextRetryDelay({ kind: "not-sent" }, history, policy, new RetryThrottle(), half)).toBe(0);
  });
});

describe("the throttle beside a count in tenths", () => {
  it("is what the count says, whatever succeeds and fails", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 300, size: "max" }), (outcomes) => {
        const throttle = new RetryThrottle();
        let tenths = 100;
        for (const [n, ok] of [...outcomes, false].entries()) {
          if (ok) {
            throttle.refill();
            tenths = Math.min(100, tenths + 1);
            continue;
          }
          tenths = Math.max(0, tenths - 10);
          const may = throttle.spend();
          // Tenths add up to nearly five in binary fractions: there either is right.
          expect(may || tenths === 50, `after ${n}`).toBe(tenths >= 50);
        }
      }),
    );
  });
});
