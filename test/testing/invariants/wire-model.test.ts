import { describe, expect, it } from "vitest";
import { RunnerStoppedError } from "../../../src/core/errors.ts";
import { EXECUTE_DEFAULTS } from "../../../src/core/job/execute-options.ts";
import { WireModel, type WireModelObserver } from "../../../src/testing/invariants/wire-model.ts";
import type { Observed } from "../../../src/testing/history/observation.ts";
import { cancel, hello, job, jobError, told, welcome } from "./story.ts";

/** A model that was shown this, all at one time. */
function shown(...seen: readonly Observed[]): WireModel {
  const wire = new WireModel();
  for (const observed of seen) wire.observe({ ...observed, at: 1 });
  return wire;
}

const UP = { kind: "machine", machine: "r", role: "runner", life: 1, state: "up" } as const;
const OPENED = { kind: "opened", connection: 1, from: "w", to: "r" } as const;
const HELLO = { kind: "delivered", connection: 1, from: "w", to: "r", messages: [hello()], bytes: 1 } as const;
const WELCOME = { kind: "sent", connection: 1, from: "r", to: "w", messages: [welcome()], bytes: 1 } as const;
const JOB = { kind: "sent", connection: 1, from: "r", to: "w", messages: [job(1)], bytes: 1 } as const;
const CLOSED = {
  kind: "closed",
  connection: 1,
  machine: "r",
  byItself: true,
  reason: { code: "local", message: "" },
} as const;

describe("the model of the wire", () => {
  it("knows the registered workers and their attempts in flight", () => {
    const runner = shown(UP, OPENED, HELLO, WELCOME, JOB).runner("r");
    const connection = runner?.workers.get("w");
    expect([...(connection?.inFlight.keys() ?? [])]).toEqual([1]);
    expect(runner?.jobs.get(1)?.current).toBe(connection?.inFlight.get(1));
  });

  it("tells the runner's end by the machines, in either direction of the dial", () => {
    const wire = shown(UP, { ...OPENED, from: "r", to: "w" }, HELLO, WELCOME);
    expect(wire.runner("r")?.workers.get("w")).toMatchObject({ peer: "w", dialled: true });
  });

  it("forgets a connection when it closes, and counts what was lost with it", () => {
    const runner = shown(UP, OPENED, HELLO, WELCOME, JOB, CLOSED).runner("r");
    expect([runner?.workers.size, runner?.connections.size]).toEqual([0, 0]);
    expect(runner?.jobs.get(1)).toMatchObject({ lost: 1, current: undefined });
  });

  it("counts no loss of what was cancelled before", () => {
    const runner = shown(UP, OPENED, HELLO, WELCOME, JOB, { ...JOB, messages: [cancel(1)] }, CLOSED).runner("r");
    expect(runner?.jobs.get(1)?.lost).toBe(0);
  });

  it("knows nothing of a runner's former life", () => {
    const wire = shown(UP, OPENED, HELLO, WELCOME, JOB, { ...UP, state: "down" }, { ...UP, life: 2 });
    expect([...wire.runners].map(({ jobs, workers }) => [jobs.size, workers.size])).toEqual([[0, 0]]);
  });

  it("reads no further in a frame than the runner does", () => {
    const answered: number[] = [];
    const observer: WireModelObserver = { onAnswer: ({ id }) => answered.push(id) };
    const wire = shown(UP, OPENED, { ...HELLO, messages: [hello({ capacity: 2 })] }, WELCOME);
    wire.addObserver(observer);
    wire.observe({ ...JOB, messages: [job(1, 1, 1), job(2, 1, 2)], at: 1 });
    const messages = [jobError(1, false), hello(), jobError(2, false)];
    wire.observe({ ...HELLO, messages, at: 1 });
    expect(answered).toEqual([1]);
  });

  it("doubts what a frame says if the runner closes in the middle of it", () => {
    const wire = shown(UP, OPENED, HELLO, WELCOME, JOB, { ...HELLO, messages: [jobError(1, false)] }, CLOSED);
    expect(wire.runner("r")?.jobs.get(1)?.last).toMatchObject({ state: "answered", doubtful: true });
  });

  it("tells jobs of `execute` from others by the gaps in their numbers", () => {
    const submitted = (jobId: number) =>
      ({ kind: "submitted", machine: "r", jobId, options: EXECUTE_DEFAULTS }) as const;
    const runner = shown(UP, submitted(1), submitted(3)).runner("r");
    expect([1, 2, 3, 4].map((id) => runner?.wasSubmitted(id))).toEqual([true, false, true, false]);
    expect(runner?.mixed).toBe(true);
  });
});

it("the state of what is over is dropped", () => {
  const story = told((s) => {
    for (let round = 1; round <= 200; round++) {
      s.joins(round).submitted(round).starts(round, 1, 1, round).after(1);
      if (round % 2 === 0) s.answers(1, "ok", round).succeeds(round);
      else s.tells(round, cancel(1, "cancelled")).fails(round, new RunnerStoppedError("stop"));
      s.after(1).closed(round, false);
      s.event({
        type: "worker-gone",
        identity: "w",
        peer: { transport: "", address: "", principal: "me" },
        reason: "closed",
        message: "",
        inFlight: 0,
      });
    }
  });
  expect(story.said).toEqual([]);
  expect(story.context.wire.runner("r")?.jobs.size).toBe(0);
  expect(story.context.wire.runner("r")?.connections.size).toBe(0);
});
