/** Laws of closing: told once at both ends, never inside `close`, nothing after it. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bytes, MAX, type NewStage, text, utf8 } from "./stage.ts";

export function closeLaws(stage: NewStage): void {
  test("a local close is told once at both ends: local here, peer there", async () => {
    await using set = await stage();
    const { near, nearSide, farSide } = await set.pair();
    near.close();
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
    await set.rig.quiet();
    expect([nearSide.order, farSide.order]).toEqual(["c", "c"]);
    expect([nearSide.closes[0]?.code, farSide.closes[0]?.code]).toEqual(["local", "peer"]);
  });

  test("and so when the listener's end closes", async () => {
    await using set = await stage();
    const { far, nearSide, farSide } = await set.pair();
    far.close();
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
    expect([nearSide.closes[0]?.code, farSide.closes[0]?.code]).toEqual(["peer", "local"]);
  });

  test("closed never comes inside close()", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    near.close();
    far.close();
    expect(nearSide.order + farSide.order).toBe("");
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
  });

  test("closing twice, and again after it is closed, changes nothing", async () => {
    await using set = await stage();
    const { near, nearSide, farSide } = await set.pair();
    near.close();
    near.close({ code: "violation", message: "too late to matter" });
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
    near.close();
    await set.rig.quiet();
    expect([nearSide.order, farSide.order]).toEqual(["c", "c"]);
    expect(nearSide.closes[0]?.code).toBe("local");
  });

  test("both ends closing at once are each told once", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    near.close();
    far.close();
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
    await set.rig.quiet();
    expect([nearSide.order, farSide.order]).toEqual(["c", "c"]);
  });

  test.each(["error", "too-large", "violation"] as const)(
    "a close for the reason %s is told here as given",
    async (code) => {
      await using set = await stage();
      const { near, nearSide, farSide } = await set.pair();
      near.close({ code, message: "because" });
      await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
      expect(nearSide.closes[0]).toEqual({ code, message: "because" });
      expect(farSide.closes[0]?.message).not.toContain("because");
    },
  );

  test("a reason with a very long message closes all the same", async () => {
    await using set = await stage();
    const { near, nearSide, farSide } = await set.pair();
    near.close({ code: "violation", message: "🐎".repeat(10_000) });
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
    expect([nearSide.order, farSide.order]).toEqual(["c", "c"]);
  });

  test("frames sent before close arrive before the close", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    for (let i = 0; i < 50; i++) near.send(bytes(MAX, i));
    near.close();
    await set.rig.until(() => farSide.closes.length === 1);
    expect(farSide.order).toBe(`${"f".repeat(50)}c`);
  });

  test("no frame is delivered after a local close, whatever is on its way", async () => {
    await using set = await stage();
    const { near, far, nearSide } = await set.pair();
    for (let i = 0; i < 50; i++) far.send(bytes(1_000, i));
    near.close();
    await set.rig.until(() => nearSide.closes.length === 1);
    await set.rig.quiet();
    expect(nearSide.order).toBe("c");
  });

  test("frames, then one close, whatever the history", async () => {
    await using set = await stage();
    const step = fc.constantFrom("near sends", "far sends", "near closes", "far closes", "quiet");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { near, far, nearSide, farSide } = await set.pair();
        for (const [i, what] of steps.entries()) {
          if (what === "near sends") near.send(bytes(20, i));
          else if (what === "far sends") far.send(bytes(20, i));
          else if (what === "near closes") near.close();
          else if (what === "far closes") far.close();
          else await set.rig.quiet();
        }
        near.close();
        await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
        expect(nearSide.order).toMatch(/^f*c$/);
        expect(farSide.order).toMatch(/^f*c$/);
      }),
      { numRuns: 20 },
    );
  });
}

export function reentrancyLaws(stage: NewStage): void {
  test("closing inside the frame callback: no further frame, told once, not inside", async () => {
    await using set = await stage();
    const { near, far, farSide } = await set.pair();
    let toldInside = true;
    farSide.onFrame = (): void => {
      far.close();
      toldInside = farSide.closes.length > 0;
    };
    for (let i = 0; i < 10; i++) near.send(bytes(10, i));
    await set.rig.until(() => farSide.closes.length === 1);
    await set.rig.quiet();
    expect(farSide.order).toBe("fc");
    expect(toldInside).toBe(false);
  });

  test("closing and sending inside the closed callback is harmless", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    const sent: boolean[] = [];
    for (const [socket, side] of [
      [near, nearSide],
      [far, farSide],
    ] as const) {
      side.onClosed = (): void => {
        sent.push(socket.send(bytes(1)));
        socket.close();
      };
    }
    near.close();
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
    await set.rig.quiet();
    expect([nearSide.order, farSide.order, ...sent]).toEqual(["c", "c", false, false]);
  });

  test("a last word from inside the frame callback still leaves", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    farSide.onFrame = (): void => {
      far.send(utf8("goodbye"));
      far.close();
    };
    near.send(utf8("hello"));
    await set.rig.until(() => nearSide.closes.length === 1);
    expect(nearSide.frames.map(text)).toEqual(["goodbye"]);
  });
}
