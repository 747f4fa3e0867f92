/** Turns of the host: which of its means is taken, and that each proves that every promise callback has run. */
import { describe, expect, it } from "vitest";
import { inTurns, turnsOf } from "../../../src/testing/time/event-loop.ts";

const { setImmediate, setTimeout } = globalThis;
const never = (): never => {
  throw new Error("not this one");
};
const fake = Object.assign((fn: () => void) => fn(), { clock: {} });

const hosts: readonly [name: string, host: Parameters<typeof turnsOf>[0]][] = [
  ["immediates", { setImmediate, MessageChannel, setTimeout: never }],
  ["messages, where there are no immediates", { MessageChannel, setTimeout: never }],
  ["messages, where immediates are fake", { setImmediate: fake, MessageChannel, setTimeout: never }],
  ["timers, where there is nothing else", { setTimeout }],
];

async function deep(depth: number): Promise<void> {
  if (depth > 0) await deep(depth - 1);
}

describe.each(hosts)("%s", (_name, host) => {
  it("are called in order, each when all that the last led to is over", async () => {
    const ask = turnsOf(host);
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      for (const name of ["a", "b", "c"])
        ask(() => {
          seen.push(name);
          void deep(50).then(() => seen.push(`${name} is over`));
        });
      ask(resolve);
    });
    expect(seen).toEqual(["a", "a is over", "b", "b is over", "c", "c is over"]);
  });

  it("do not come inside the call that asks", () => {
    const ask = turnsOf(host);
    let came = false;
    ask(() => (came = true));
    expect(came).toBe(false);
  });
});

describe("steps in turns", () => {
  it("go on until one says that it was the last", async () => {
    let steps = 0;
    await inTurns(() => ++steps < 100);
    expect(steps).toBe(100);
  });

  it("end with what one throws", async () => {
    let steps = 0;
    const broken = inTurns(() => {
      if (++steps === 40) throw new Error("step 40");
      return true;
    });
    await expect(broken).rejects.toThrow("step 40");
    await inTurns(() => false);
    expect(steps).toBe(40);
  });

  it("of two runs at a time do not disturb each other", async () => {
    const seen: string[] = [];
    const player = (name: string): Promise<void> => {
      let left = 70;
      return inTurns(() => {
        void deep(20).then(() => seen.push(name));
        return --left > 0;
      });
    };
    await Promise.all([player("a"), player("b")]);
    await inTurns(() => false);
    expect(seen.filter((name) => name === "a")).toHaveLength(70);
    expect(seen.filter((name) => name === "b")).toHaveLength(70);
  });
});
