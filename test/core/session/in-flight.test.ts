import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Attempt, type AttemptOwner } from "../../../src/core/session/attempt.ts";
import { InFlight } from "../../../src/core/session/in-flight.ts";

const nobody: AttemptOwner<string> = {
  onSucceeded: () => undefined,
  onFailed: () => undefined,
  onFleetFailed: () => undefined,
  onRejected: () => undefined,
  onLost: () => undefined,
  onNotSent: () => undefined,
  onParked: () => undefined,
  onStarted: () => undefined,
  onSlotFreed: () => undefined,
};

const ANY = (): boolean => true;

function attempt(id: number): Attempt<string> {
  return new Attempt(id, "session", nobody, 0);
}

function filled(count: number, capacity: number): { inFlight: InFlight<string>; all: Attempt<string>[] } {
  const inFlight = new InFlight<string>();
  const all = Array.from({ length: count }, (_, n) => attempt(n + 1));
  for (const each of all) inFlight.add(each, capacity);
  return { inFlight, all };
}

describe("attempts in flight", () => {
  it("have the slots as far as there are any; the others wait", () => {
    const { inFlight, all } = filled(5, 2);
    expect([inFlight.size, inFlight.running, inFlight.waiting]).toEqual([5, 2, 3]);
    expect(all.map(({ waits }) => waits)).toEqual([false, false, true, true, true]);
    expect(all.map(({ id }) => inFlight.get(id))).toEqual(all);
    expect(inFlight.get(6)).toBeUndefined();
  });

  it("leave their slot to the one that has waited longest", () => {
    const { inFlight, all } = filled(5, 2);
    const ends = (n: number): number | undefined => {
      const gone = all[n - 1];
      return gone === undefined ? undefined : inFlight.delete(gone, 2)?.id;
    };
    expect(ends(2)).toBe(3);
    expect(ends(4), "it had none").toBeUndefined();
    expect(ends(1)).toBe(5);
    expect([inFlight.running, inFlight.waiting]).toEqual([2, 0]);
    expect(ends(3)).toBeUndefined();
    expect(ends(5)).toBeUndefined();
    expect(inFlight.size).toBe(0);
  });

  it("are all there when they are cleared, in the order of sending, and none waits any more", () => {
    const { inFlight, all } = filled(6, 1);
    const second = all[1];
    if (second !== undefined) inFlight.delete(second, 1);
    const cleared = inFlight.clear();
    expect(cleared.map(({ id }) => id)).toEqual([1, 3, 4, 5, 6]);
    expect(cleared.map(({ waits }) => waits)).toEqual([false, false, false, false, false]);
    expect([inFlight.size, inFlight.running, inFlight.waiting]).toEqual([0, 0, 0]);
  });

  it("are called back from the end, each once, and counted until they come", () => {
    const { inFlight, all } = filled(5, 1);
    const asked: number[] = [];
    const recall = (count: number): readonly number[] => {
      inFlight.recall(count, ANY, ({ id }) => asked.push(id));
      return asked;
    };
    expect(recall(2)).toEqual([5, 4]);
    expect(recall(2)).toEqual([5, 4]);
    expect(recall(3)).toEqual([5, 4, 3]);
    expect(recall(100)).toEqual([5, 4, 3, 2]);
    expect(all.map(({ recalled }) => recalled)).toEqual([false, true, true, true, true]);
    expect(recall(0)).toHaveLength(4);
  });

  it("are not called back when they are cancelled, nor counted", () => {
    const { inFlight, all } = filled(4, 1);
    const last = all[3];
    if (last !== undefined) last.cancelled = "timeout";
    const asked: number[] = [];
    expect(
      inFlight.recall(1, ANY, ({ id }) => asked.push(id)),
      "of use, and left where it is",
    ).toBe(1);
    expect(asked).toEqual([3]);
  });

  it("are not called back when they are of no use elsewhere, nor counted", () => {
    const { inFlight } = filled(6, 1);
    const asked: number[] = [];
    const even = ({ id }: { id: number }): boolean => id % 2 === 0;
    expect(inFlight.recall(2, even, ({ id }) => asked.push(id))).toBe(1);
    expect(inFlight.recall(3, even, ({ id }) => asked.push(id))).toBe(0);
    expect(
      inFlight.recall(
        3,
        () => false,
        ({ id }) => asked.push(id),
      ),
    ).toBe(0);
    expect(asked).toEqual([6, 4, 2]);
  });

  it("are a list of which the first have the slots, whatever ends", () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant("add" as const), n: fc.constant(0) }),
      fc.record({ op: fc.constant("delete" as const), n: fc.nat(12) }),
      fc.record({ op: fc.constant("recall" as const), n: fc.nat(4) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), fc.integer({ min: 1, max: 4 }), (steps, capacity) => {
        const inFlight = new InFlight<string>();
        let model: { one: Attempt<string>; begun: boolean }[] = [];
        let [ids, wrong] = [0, 0];
        for (const { op, n } of steps) {
          const running = model.filter(({ begun }) => begun).length;
          if (op === "add") {
            const one = attempt(++ids);
            inFlight.add(one, capacity);
            model.push({ one, begun: running < capacity });
          } else if (op === "recall") {
            inFlight.recall(n, ANY, ({ waits }) => void (wrong += Number(!waits)));
          } else {
            const gone = model[n];
            if (gone === undefined) continue;
            model = model.filter((each) => each !== gone);
            const next = gone.begun ? model.find(({ begun }) => !begun) : undefined;
            wrong += Number(inFlight.delete(gone.one, capacity) !== next?.one);
            if (next !== undefined) next.begun = true;
          }
          expect([inFlight.size, wrong]).toEqual([model.length, 0]);
          expect(model.map(({ one }) => !one.waits)).toEqual(model.map(({ begun }) => begun));
          expect(inFlight.running).toBe(Math.min(capacity, model.length));
        }
        expect(inFlight.clear()).toEqual(model.map(({ one }) => one));
      }),
    );
  });
});
