/** The log of a simulation: a line for each thing that can be seen, fit for a terminal. */
import { describe, expect, it } from "vitest";
import { logLine } from "../../../src/testing/history/format.ts";
import type { Observed } from "../../../src/testing/history/observation.ts";
import { Trace } from "../../../src/testing/history/trace.ts";

const HOSTILE = "\u001b[2J\n\r\u0007\u202e\u2028evil";

/** Everything that carries words of a peer or of a user. */
const hostile: readonly Observed[] = [
  { kind: "note", text: HOSTILE },
  { kind: "fault", fault: "cut", target: HOSTILE },
  { kind: "machine", machine: HOSTILE, life: 1, role: "worker", state: "up" },
  { kind: "closed", connection: 1, machine: "w1", byItself: false, reason: { code: "error", message: HOSTILE } },
  { kind: "settled", machine: "runner", jobId: 1, outcome: { ok: true, value: HOSTILE } },
  { kind: "settled", machine: "runner", jobId: undefined, outcome: { ok: false, error: new Error(HOSTILE) } },
  { kind: "handler-ended", run: 1, machine: "w1", life: 1, value: HOSTILE },
  {
    kind: "sent",
    connection: 1,
    from: "w1",
    to: "runner",
    bytes: 9,
    messages: [{ type: "JOBRES", attemptId: 1, value: HOSTILE }],
  },
  { kind: "sent", connection: 1, from: HOSTILE, to: "runner", bytes: 9, messages: undefined },
];

describe("a line", () => {
  it("says when, where and what", () => {
    expect(logLine({ at: 1_234_567.04, kind: "note", text: "hello" })).toBe(" 1,234,567.0 ms  note      hello");
    const sent = { at: 3, kind: "sent", connection: 1, from: "w1", to: "runner", bytes: 9 } as const;
    expect(logLine({ ...sent, messages: [] })).toBe("         3.0 ms  w1        → runner  an empty frame");
    expect(logLine({ ...sent, messages: undefined })).toContain("a malformed frame");
    expect(logLine({ ...sent, messages: [{ type: "JOBRES", attemptId: 3, value: "84" }] })).toContain('JOBRES 3 "84"');
  });

  it("of a worker names the job as all the others do", () => {
    const jobId = "03b1b67d6ee96c3d6933b9cd2d8ebf84:17";
    const event = { type: "job-served", jobId, attempt: 1, ok: true, ms: 5 } as const;
    expect(logLine({ at: 0, kind: "worker", machine: "w1", event })).toMatch(/ served job 17$/);
  });

  it("has a column as wide as the longest name", () => {
    const trace = new Trace();
    for (const machine of ["a-very-long-name-eu-west-1", "w1"])
      trace.add({ at: 1, kind: "machine", machine, life: 1, role: "worker", state: "up" });
    const places = trace.lines(2).map((line) => line.indexOf("worker is up"));
    expect(places).toEqual([44, 44]);
  });

  it.each(hostile)("does nothing to a terminal: $kind", (seen) => {
    const line = logLine({ ...seen, at: 0 });
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });
});

describe("a record", () => {
  it("keeps the last that happened, in order, without the heartbeats", () => {
    const trace = new Trace();
    for (let i = 0; i < 1_000; i++) {
      trace.add({ at: i, kind: "note", text: `n${i}` });
      trace.add({ at: i, kind: "sent", connection: 1, from: "w1", to: "runner", bytes: 2, messages: [] });
    }
    const lines = trace.lines(3).map((line) => line.trim());
    expect(lines).toEqual(["997.0 ms  note      n997", "998.0 ms  note      n998", "999.0 ms  note      n999"]);
    expect([trace.count, trace.lines(0).length, trace.lines(5_000).length]).toEqual([2_000, 0, 400]);
  });

  it("is another when a thing, its time or the order is another, and the words of errors do not count", () => {
    const hash = (...seen: readonly (Observed & { at: number })[]): string => {
      const trace = new Trace();
      for (const one of seen) trace.add(one);
      return trace.hash;
    };
    const [a, b] = [{ at: 1, kind: "note", text: "a" } as const, { at: 1, kind: "note", text: "b" } as const];
    expect(hash(a, b)).toBe(hash({ ...a }, { ...b }));
    const others = [hash(), hash(a), hash(b), hash(a, b), hash(b, a), hash({ ...a, at: 1.001 }, b), hash(a, b, b)];
    expect(new Set(others).size).toBe(others.length);
    const failed = (message: string): Observed & { at: number } => ({
      at: 1,
      kind: "settled",
      machine: "runner",
      jobId: 1,
      outcome: { ok: false, error: new Error(message) },
    });
    expect(hash(failed("as node puts it"))).toBe(hash(failed("as another engine puts it")));
    const ended = (value: string | Uint8Array): string =>
      hash({ at: 1, kind: "handler-ended", run: 1, machine: "w1", life: 1, value });
    expect(new Set([ended("A"), ended("B"), ended(Uint8Array.of(65)), ended(Uint8Array.of(66))]).size).toBe(4);
  });
});
