/** The parts that count: what they say of what they were given, and that they stay bounded. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock, RunnerEvent } from "../../src/index.ts";
import { MAX_REQUEST_BYTES, readRequest } from "../../src/dashboard/protocol.ts";
import { safeText } from "../../src/dashboard/safe-text.ts";
import { Ring } from "../../src/dashboard/ring.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";
import { WorkerCounters } from "../../src/dashboard/worker-counters.ts";

test("a ring keeps the last ones, oldest first", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 9 }), (items, capacity) => {
      const ring = new Ring<number>(capacity);
      for (const item of items) ring.push(item);
      expect(ring.toArray()).toEqual(items.slice(-capacity));
      expect(ring.last).toBe(items.at(-1));
    }),
  );
});

describe("the counters of workers", () => {
  const peer = { transport: "memory", address: "here", principal: "local" };
  const joined = (identity: string): RunnerEvent => ({ type: "worker-joined", identity, peer, capacity: 1 });
  const settled = (jobId: string, ok: boolean, identity?: string, attempts = 1): RunnerEvent => ({
    type: "job-settled",
    jobId,
    ok,
    identity,
    labels: [],
    headers: new Map(),
    ms: 1,
    attempts,
  });

  function noted(events: readonly RunnerEvent[], clock: Clock = new VirtualClock()): WorkerCounters {
    const counters = new WorkerCounters(clock);
    for (const event of events) counters.record(event);
    return counters;
  }

  test("count for the worker that had the job, and only what was its own failure", () => {
    const counters = noted([
      joined("a"),
      joined("b"),
      { type: "job-retried", jobId: "r:1", attempt: 1, identity: "a", outcome: "error", after: 0 },
      settled("r:1", true, "b"),
      { type: "job-retried", jobId: "r:2", attempt: 0, identity: "b", outcome: "rejected", after: 0 },
      settled("r:2", false, "a"),
      settled("r:3", false, undefined, 0), // no worker had it
      settled("r:4", false, "a", 0), // it was aborted before its turn
      settled("r:5", false, "c"), // its worker has left
    ]);
    expect([counters.of("a"), counters.of("b")]).toMatchObject([
      { done: 0, failed: 2 },
      { done: 1, failed: 0 },
    ]);
  });

  test("take the rate over the last seconds, and drop a worker that has left", () => {
    let now = 0;
    const clock = Object.assign(new VirtualClock(), { now: () => now });
    const counters = noted([joined("a")], clock);
    for (let second = 0; second < 20; second++) {
      for (let job = 0; job < 3; job++) {
        counters.record(settled(`r:${job}`, true, "a"));
      }
      now += 1_000;
      counters.tick();
    }
    expect(counters.of("a")).toEqual(expect.objectContaining({ done: 60, rate: 3 }));
    for (let second = 0; second < 6; second++) {
      now += 1_000;
      counters.tick();
    }
    expect(counters.of("a").rate).toBe(0);
    counters.record({ type: "worker-gone", identity: "a", peer, reason: "closed", message: "", inFlight: 0 });
    expect(counters.of("a")).toEqual({ done: 0, failed: 0, rate: 0 });
  });
});

describe("a request of the dashboard", () => {
  test.each([
    [{ type: "drain" }],
    [{ type: "remove-worker", identity: "w-1", drain: true }],
    [{ type: "remove-worker", identity: "", drain: false }],
  ])("%j is read", (request) => {
    expect(readRequest(JSON.stringify(request))).toEqual(request);
  });

  test.each([
    "",
    "null",
    "[]",
    "drain",
    "{",
    '{"type":"drain","now":true}',
    '{"type":"stop"}',
    '{"type":"remove-worker"}',
    '{"type":"remove-worker","identity":"w"}',
    '{"type":"remove-worker","identity":1,"drain":true}',
    '{"type":"remove-worker","identity":"w","drain":"yes"}',
    '{"type":"remove-worker","identity":"w","drain":true,"__proto__":{}}',
    `{"type":"remove-worker","drain":true,"identity":"${"w".repeat(MAX_REQUEST_BYTES)}"}`,
    "[".repeat(500),
  ])("%s is none", (text) => {
    expect(readRequest(text)).toBeUndefined();
  });

  test("is one of those, or nothing, whatever comes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const request = readRequest(text);
        expect([undefined, "drain", "remove-worker"]).toContain(request?.type);
      }),
    );
  });
});

test("words are made harmless and short, whatever is in them", () => {
  expect(safeText("a\u202eb\u061cc\u0007\nd")).toBe("a\\u202eb\\u061cc\\x07 d");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(safeText(text, 20)).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u);
    }),
  );
});
