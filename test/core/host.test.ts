import { describe, expect, it } from "vitest";
import { hostClock } from "../../src/core/host.ts";

/** Resolves after so many rounds of microtasks. */
async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

describe("the host's end of turn", () => {
  it("comes after all that the promises of the turn lead to, however deep, and before the next turn", async () => {
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      hostClock.nextTurn(() => {
        hostClock.nextTurn(() => {
          seen.push("next turn");
          resolve();
        });
        hostClock.endOfTurn(() => seen.push("end of turn"));
        for (const depth of [0, 1, 5, 50]) void rounds(depth).then(() => seen.push(`${depth} deep`));
        seen.push("the code that ran");
      });
    });
    await done;
    expect(seen).toEqual(["the code that ran", "0 deep", "1 deep", "5 deep", "50 deep", "end of turn", "next turn"]);
  });

  it("calls in the order asked for, and never inside the asking", async () => {
    const seen: number[] = [];
    for (const i of [1, 2, 3]) hostClock.endOfTurn(() => seen.push(i));
    expect(seen).toEqual([]);
    await new Promise<void>((resolve) => hostClock.nextTurn(resolve));
    expect(seen).toEqual([1, 2, 3]);
  });
});
