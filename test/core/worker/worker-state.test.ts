/** Every phase of a worker with every input: the phases that exist, and what never happens. */
import { describe, expect, it } from "vitest";
import { nextStep, type WorkerInput, type WorkerPhase } from "../../../src/core/worker/worker-state.ts";

const both = [true, false];

const INPUTS: readonly WorkerInput[] = [
  { type: "start" },
  { type: "welcomed" },
  { type: "sent-away" },
  ...both.flatMap((fatal) => both.map((atOnce) => ({ type: "ended", fatal, atOnce }) as const)),
  ...both.map((fatal) => ({ type: "dial-failed", fatal }) as const),
  { type: "no-slot" },
  { type: "slot-free" },
  { type: "hurry" },
  ...both.map((stop) => ({ type: "retire", stop }) as const),
  { type: "drain" },
  { type: "stop" },
];

/** Every phase that a worker can be in. */
function reachable(): WorkerPhase[] {
  const found = new Map<string, WorkerPhase>();
  const open: WorkerPhase[] = [{ state: "created" }];
  for (let phase = open.pop(); phase !== undefined; phase = open.pop()) {
    const key = JSON.stringify(phase);
    if (found.has(key)) continue;
    found.set(key, phase);
    for (const input of INPUTS) open.push(nextStep(phase, input).phase);
  }
  return [...found.values()];
}

const ALL = reachable();
const STEPS = ALL.flatMap((from) => INPUTS.map((input) => ({ from, input, ...nextStep(from, input) })));

function isNew(phase: WorkerPhase): boolean {
  return phase.state === "created" || ("isNew" in phase && phase.isNew);
}

const rank = { created: 0, connecting: 1, disconnected: 1, registered: 1, draining: 2, stopped: 3 };

describe("the phases of a worker", () => {
  it("are thirteen in all", () => {
    const names = ALL.map((phase) => JSON.stringify(phase)).sort();
    const connecting = ["connecting", "disconnected"].flatMap((state) =>
      both.flatMap((isFirst) => both.map((awaitsSlot) => ({ state, isNew: isFirst, awaitsSlot }))),
    );
    const drainings = both.map((retired) => ({ state: "draining", retired }));
    const expected = [{ state: "created" }, ...connecting, { state: "registered" }, ...drainings, { state: "stopped" }];
    expect(names).toEqual(expected.map((phase) => JSON.stringify(phase)).sort());
  });

  it("never go back: from a start to leaving to the end", () => {
    for (const { from, phase } of STEPS) expect(rank[phase.state]).toBeGreaterThanOrEqual(rank[from.state]);
  });

  it("are new until a runner has let the worker in, and never again", () => {
    expect(STEPS.filter(({ from, phase }) => !isNew(from) && isNew(phase))).toEqual([]);
    expect(nextStep({ state: "registered" }, { type: "ended", fatal: false, atOnce: false }).phase).toMatchObject({
      isNew: false,
    });
  });
});

describe("what a worker does", () => {
  it("is to dial only when it goes on without a connection, and then it waits for no slot", () => {
    for (const { from, phase, action } of STEPS) {
      if (action !== "dial" && action !== "pause") continue;
      expect(phase).toMatchObject({ state: action === "dial" ? "connecting" : "disconnected", awaitsSlot: false });
      expect(rank[from.state]).toBe(1);
    }
  });

  it("is to give up only before it was ever let in, and only when it was refused for good", () => {
    for (const { from, input, phase, action } of STEPS) {
      if (action !== "give-up") continue;
      expect([isNew(from), phase]).toEqual([true, from]);
      expect(input).toMatchObject({ fatal: true });
    }
  });

  it("is to leave whenever it retires or drains, once: a worker that leaves or has not begun does not retire", () => {
    const leaves = STEPS.filter(({ action }) => action === "leave");
    for (const { from, input, phase } of leaves) {
      expect(["retire", "drain"]).toContain(input.type);
      expect(rank[from.state]).toBeLessThanOrEqual(1);
      const stays = input.type === "retire" && !input.stop;
      expect(phase.state).toBe(stays ? from.state : "draining");
    }
    expect(leaves).toHaveLength(9 * 3 + 1);
  });

  it("is to limit a retirement that somebody drains, once", () => {
    expect(STEPS.filter(({ action }) => action === "limit")).toEqual([
      {
        from: { state: "draining", retired: true },
        input: { type: "drain" },
        phase: { state: "draining", retired: false },
        action: "limit",
      },
    ]);
  });

  it("is to end everything once, and nothing after that", () => {
    for (const { from, input, action } of STEPS) {
      expect(action === "stop").toBe(input.type === "stop" && from.state !== "stopped");
    }
    const after = STEPS.filter(({ from }) => from.state === "stopped");
    expect(after.filter(({ from, phase, action }) => phase !== from || action !== "nothing")).toEqual([]);
  });

  it("is to start once", () => {
    const opened = STEPS.filter(({ action }) => action === "open");
    expect(opened.map(({ from, input }) => [from.state, input.type])).toEqual([["created", "start"]]);
  });
});
