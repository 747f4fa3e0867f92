/** Laws of frames: whole, in order, exact, held until somebody opens, never synchronous. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bytes, MAX, type NewStage, type Pair, same, text, utf8 } from "./stage.ts";

export function frameLaws(stage: NewStage): void {
  test.each([1, 2, 125, 126, 127, 4_096, 65_535, MAX])("a frame of %i bytes arrives whole", async (length) => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    expect(near.send(bytes(length, 3))).toBe(true);
    await set.rig.until(() => farSide.frames.length === 1);
    expect(same(farSide.frames[0], bytes(length, 3))).toBe(true);
  });

  test("and so in the other direction", async () => {
    await using set = await stage();
    const { far, nearSide } = await set.pair();
    expect(far.send(bytes(MAX, 5))).toBe(true);
    await set.rig.until(() => nearSide.frames.length === 1);
    expect(same(nearSide.frames[0], bytes(MAX, 5))).toBe(true);
  });

  test("every byte value passes, and text of any script", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    const words = "\0 \u{feff}é 漢字 🐎 \u{10ffff}\r\n";
    near.send(Uint8Array.from({ length: 256 }, (_, i) => i));
    near.send(utf8(words));
    await set.rig.until(() => farSide.frames.length === 2);
    expect(farSide.frames[0]).toEqual(Uint8Array.from({ length: 256 }, (_, i) => i));
    expect(farSide.frames[1]).toEqual(utf8(words));
  });

  test("any frames arrive exactly, in order, nothing added", async () => {
    await using set = await stage();
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(frames, async (sent) => {
        const { near, far, farSide } = await set.pair();
        for (const frame of sent) near.send(Uint8Array.from(frame));
        await set.rig.until(() => farSide.frames.length >= sent.length);
        expect(farSide.frames.map((frame) => [...frame])).toEqual(sent.map((frame) => [...frame]));
        near.close();
        far.close();
      }),
      { numRuns: 25 },
    );
  });
}

export function orderLaws(stage: NewStage): void {
  test("ten thousand small frames arrive in order", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    for (let i = 0; i < 10_000; i++) near.send(utf8(String(i)));
    await set.rig.until(() => farSide.frames.length === 10_000);
    expect(farSide.frames.map(text)).toEqual(Array.from({ length: 10_000 }, (_, i) => String(i)));
  });

  test("many large frames arrive in order", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    for (let i = 0; i < 100; i++) near.send(bytes(MAX - i, i));
    await set.rig.until(() => farSide.frames.length === 100);
    for (const [i, frame] of farSide.frames.entries()) expect(same(frame, bytes(MAX - i, i))).toBe(true);
  });

  test("large and small frames do not overtake each other", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    const lengths = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? MAX : 1 + i));
    for (const [i, length] of lengths.entries()) near.send(bytes(length, i));
    await set.rig.until(() => farSide.frames.length === lengths.length);
    expect(farSide.frames.map((frame) => frame.byteLength)).toEqual(lengths);
  });

  test("both directions at once keep their own order", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    for (let i = 0; i < 500; i++) {
      near.send(utf8(`there ${i}`));
      far.send(utf8(`back ${i}`));
    }
    await set.rig.until(() => farSide.frames.length === 500 && nearSide.frames.length === 500);
    expect(farSide.frames.map(text)).toEqual(Array.from({ length: 500 }, (_, i) => `there ${i}`));
    expect(nearSide.frames.map(text)).toEqual(Array.from({ length: 500 }, (_, i) => `back ${i}`));
  });

  test("answers from inside the frame callback play ping-pong", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    farSide.onFrame = (frame): void => void far.send(Uint8Array.from(frame));
    nearSide.onFrame = (frame): void => void (nearSide.frames.length < 50 && near.send(Uint8Array.from(frame)));
    near.send(utf8("ball"));
    await set.rig.until(() => nearSide.frames.length === 50);
    expect(new Set(nearSide.frames.map(text))).toEqual(new Set(["ball"]));
  });

  test("twenty sockets do not mix their frames", async () => {
    await using set = await stage();
    const pairs: Pair[] = [];
    for (let i = 0; i < 20; i++) pairs.push(await set.pair());
    for (let round = 0; round < 10; round++)
      for (const [i, { near }] of pairs.entries()) near.send(utf8(`${i}/${round}`));
    await set.rig.until(() => pairs.every(({ farSide }) => farSide.frames.length === 10));
    for (const [i, { farSide }] of pairs.entries()) {
      expect(farSide.frames.map(text)).toEqual(Array.from({ length: 10 }, (_, round) => `${i}/${round}`));
    }
  });
}

export function sendLaws(stage: NewStage): void {
  test("send never delivers synchronously", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    near.send(bytes(10));
    far.send(bytes(10));
    expect(farSide.order + nearSide.order).toBe("");
    await set.rig.until(() => farSide.order === "f" && nearSide.order === "f");
  });

  test("send is false after a local close, and nothing arrives", async () => {
    await using set = await stage();
    const { near, nearSide, farSide } = await set.pair();
    near.close();
    expect(near.send(bytes(10))).toBe(false);
    await set.rig.until(() => nearSide.closes.length === 1 && farSide.closes.length === 1);
    expect(near.send(bytes(10))).toBe(false);
    await set.rig.quiet();
    expect(farSide.frames).toEqual([]);
  });

  test("send is false once the peer has closed", async () => {
    await using set = await stage();
    const { near, far, nearSide } = await set.pair();
    far.close();
    await set.rig.until(() => nearSide.closes.length === 1);
    expect(near.send(bytes(10))).toBe(false);
  });

  test("send does not throw while the peer is closing", async () => {
    await using set = await stage();
    const { near, far, nearSide } = await set.pair();
    far.close();
    for (let i = 0; i < 100; i++) expect(typeof near.send(bytes(100, i))).toBe("boolean");
    await set.rig.until(() => nearSide.closes.length === 1);
  });
}
