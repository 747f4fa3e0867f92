/** Laws of opening, of who owns the bytes, of the frame limit and of what a socket says about itself. */
import { expect, test } from "vitest";
import { bytes, MAX, type NewStage, Recorder, text, utf8 } from "./stage.ts";

export function openLaws(stage: NewStage): void {
  test("frames sent before the other end opens are held, in order", async () => {
    await using set = await stage();
    const [near, far] = await set.connect();
    for (let i = 0; i < 20; i++) near.send(utf8(String(i)));
    await set.rig.quiet();
    const farSide = new Recorder();
    far.open(farSide);
    near.open(new Recorder());
    near.send(utf8("20"));
    await set.rig.until(() => farSide.frames.length === 21);
    expect(farSide.frames.map(text)).toEqual(Array.from({ length: 21 }, (_, i) => String(i)));
  });

  test("an end that is not open yet can send", async () => {
    await using set = await stage();
    const [near, far] = await set.connect();
    const nearSide = new Recorder();
    near.open(nearSide);
    expect(far.send(bytes(3))).toBe(true);
    await set.rig.until(() => nearSide.frames.length === 1);
  });

  test("frames and the close that came before open are delivered, in that order", async () => {
    await using set = await stage();
    const [near, far] = await set.connect();
    near.open(new Recorder());
    near.send(bytes(1));
    near.send(bytes(2));
    near.close();
    await set.rig.quiet();
    const farSide = new Recorder();
    far.open(farSide);
    await set.rig.until(() => farSide.closes.length === 1);
    expect(farSide.order).toBe("ffc");
  });

  test("opening twice throws", async () => {
    await using set = await stage();
    const { near } = await set.pair();
    expect(() => near.open(new Recorder())).toThrow("already open");
  });

  test("closed before it is opened: told once, and no held frame", async () => {
    await using set = await stage();
    const [near, far] = await set.connect();
    near.open(new Recorder());
    near.send(bytes(4));
    await set.rig.quiet();
    far.close();
    const farSide = new Recorder();
    far.open(farSide);
    await set.rig.until(() => farSide.closes.length === 1);
    await set.rig.quiet();
    expect(farSide.order).toBe("c");
  });

  test.each([undefined, "violation"] as const)("closing (%s) in the middle of held frames ends them", async (code) => {
    await using set = await stage();
    const [near, far] = await set.connect();
    near.open(new Recorder());
    for (let i = 0; i < 5; i++) near.send(bytes(4, i));
    await set.rig.quiet();
    const farSide = new Recorder();
    farSide.onFrame = (): void => {
      if (farSide.frames.length === 2) far.close(code === undefined ? undefined : { code, message: "enough" });
    };
    far.open(farSide);
    await set.rig.until(() => farSide.closes.length === 1);
    await set.rig.quiet();
    expect(farSide.order).toBe("ffc");
  });
}

export function ownershipLaws(stage: NewStage): void {
  test("views of one buffer arrive exactly, and leave the rest of it usable", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    const whole = bytes(100, 9);
    near.send(whole.subarray(10, 20));
    near.send(whole.subarray(20, 100));
    near.send(whole.subarray(0, 10));
    await set.rig.until(() => farSide.frames.length === 3);
    const [second, third, first] = farSide.frames;
    expect([first, second, third]).toEqual([
      bytes(100, 9).slice(0, 10),
      bytes(100, 9).slice(10, 20),
      bytes(100, 9).slice(20),
    ]);
  });

  test("a received frame is the receiver's to write into", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    farSide.onFrame = (frame): void => void (farSide.frames.length % 2 === 1 && frame.fill(0xff));
    for (let i = 0; i < 10; i++) near.send(bytes(50, i));
    await set.rig.until(() => farSide.frames.length === 10);
    for (let i = 1; i < 10; i += 2) expect(farSide.frames[i]).toEqual(bytes(50, i));
  });

  test("a received frame is a plain Uint8Array", async () => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    near.send(bytes(8));
    far.send(bytes(8));
    await set.rig.until(() => farSide.frames.length === 1 && nearSide.frames.length === 1);
    for (const frame of [...farSide.frames, ...nearSide.frames]) {
      expect(Object.getPrototypeOf(frame)).toBe(Uint8Array.prototype);
      expect(frame.buffer).toBeInstanceOf(ArrayBuffer);
    }
  });
}

export function limitLaws(stage: NewStage): void {
  test.each(["dialler", "listener"] as const)("a frame over the limit from the %s closes both ends", async (from) => {
    await using set = await stage();
    const { near, far, nearSide, farSide } = await set.pair();
    const [sender, senderSide, receiverSide] =
      from === "dialler" ? [near, nearSide, farSide] : [far, farSide, nearSide];
    expect(() => sender.send(bytes(MAX + 1))).not.toThrow();
    expect(senderSide.order).toBe("");
    await set.rig.until(() => senderSide.closes.length === 1 && receiverSide.closes.length === 1);
    expect([...senderSide.closes, ...receiverSide.closes].map((reason) => reason.code)).toContain("too-large");
    expect(receiverSide.frames).toEqual([]);
    expect(sender.send(bytes(1))).toBe(false);
  });

  test("what was sent before the frame over the limit still arrives", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    near.send(bytes(5));
    near.send(bytes(MAX));
    near.send(bytes(MAX + 1));
    await set.rig.until(() => farSide.closes.length === 1);
    expect(farSide.order).toBe("ffc");
  });
}

export function factLaws(stage: NewStage): void {
  test("both ends say who is there, in words", async () => {
    await using set = await stage();
    for (const socket of await set.connect()) {
      for (const word of [socket.peer.transport, socket.peer.address, socket.peer.principal]) {
        expect(word).toMatch(/^\S.*$/);
      }
    }
  });

  test("both ends declare the transport's faults", async () => {
    await using set = await stage();
    for (const socket of await set.connect()) expect(socket.faults).toBe(set.rig.faults);
  });

  test("peers that dial in are told apart by their address", async () => {
    await using set = await stage();
    const [, first] = await set.connect();
    const [, second] = await set.connect();
    expect(first.peer.address).not.toBe(second.peer.address);
  });

  test("bufferedBytes is a count that goes back to 0", async () => {
    await using set = await stage();
    const { near, farSide } = await set.pair();
    expect(near.bufferedBytes).toBe(0);
    for (let i = 0; i < 50; i++) {
      near.send(bytes(MAX, i));
      expect(near.bufferedBytes).toBeGreaterThanOrEqual(0);
      expect(Number.isFinite(near.bufferedBytes)).toBe(true);
    }
    await set.rig.until(() => farSide.frames.length === 50 && near.bufferedBytes === 0);
  });

  test("bufferedBytes is 0 once closed", async () => {
    await using set = await stage();
    const { near, nearSide } = await set.pair();
    for (let i = 0; i < 50; i++) near.send(bytes(MAX, i));
    near.close();
    await set.rig.until(() => nearSide.closes.length === 1);
    await set.rig.until(() => near.bufferedBytes === 0);
    expect(near.send(bytes(1))).toBe(false);
  });
}
