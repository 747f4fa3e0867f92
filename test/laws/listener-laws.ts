/** Laws of whoever opens sockets: listeners start, stop and start again, dials can be aborted and fail in words. */
import { expect, test, vi } from "vitest";
import { bytes, MAX, type NewStage, Recorder, text, utf8 } from "./stage.ts";

export function listenerLaws(stage: NewStage): void {
  test("it has an address, started or not", async () => {
    await using set = await stage();
    expect(set.rig.listener.address).not.toBe("");
    await set.stop();
    expect(set.rig.listener.address).not.toBe("");
  });

  test("stop closes the accepted sockets, and their peers learn of it", async () => {
    await using set = await stage();
    const pairs = [await set.pair(), await set.pair(), await set.pair()];
    await set.stop();
    await set.rig.until(() =>
      pairs.every(({ nearSide, farSide }) => nearSide.closes.length + farSide.closes.length === 2),
    );
    expect(pairs.map(({ farSide }) => farSide.closes[0]?.code)).toEqual(["local", "local", "local"]);
  });

  test("frames sent before stop arrive", async () => {
    await using set = await stage();
    const { far, nearSide } = await set.pair();
    for (let i = 0; i < 10; i++) far.send(bytes(MAX, i));
    await set.stop();
    await set.rig.until(() => nearSide.closes.length === 1);
    expect(nearSide.order).toBe(`${"f".repeat(10)}c`);
  });

  test("it may be stopped twice, also at once", async () => {
    await using set = await stage();
    await Promise.all([set.stop(), set.stop()]);
    expect(await set.stop()).toBeUndefined();
  });

  test("it may be started again after stop, and works", async () => {
    await using set = await stage();
    for (let round = 0; round < 3; round++) {
      const { near, farSide } = await set.pair();
      near.send(utf8(`round ${round}`));
      await set.rig.until(() => farSide.frames.length === 1);
      expect(farSide.frames.map(text)).toEqual([`round ${round}`]);
      await set.stop();
      await set.start();
    }
  });

  test("start right behind stop waits its turn", async () => {
    await using set = await stage();
    await set.pair();
    const stopping = set.rig.listener.stop();
    await set.start();
    await set.rig.settle(stopping);
    const { near, farSide } = await set.pair();
    near.send(bytes(1));
    await set.rig.until(() => farSide.frames.length === 1);
    expect(set.accepted).toHaveLength(2);
  });

  test("starting twice for the same taker changes nothing; for another it is refused", async () => {
    await using set = await stage();
    await set.start();
    const other = set.rig.listener.start(() => undefined, set.context);
    await expect(set.rig.settle(other)).rejects.toThrow("already listening");
    const { near, farSide } = await set.pair();
    near.send(bytes(1));
    await set.rig.until(() => farSide.frames.length === 1);
    expect(set.accepted).toHaveLength(1);
  });

  test("one closed socket leaves the others alone", async () => {
    await using set = await stage();
    const [first, second] = [await set.pair(), await set.pair()];
    first.near.close();
    await set.rig.until(() => first.farSide.closes.length === 1);
    second.near.send(bytes(2));
    await set.rig.until(() => second.farSide.frames.length === 1);
    expect(second.farSide.closes).toEqual([]);
  });
}

export function dialLaws(stage: NewStage): void {
  test("an aborted signal rejects the dial with its reason", async () => {
    await using set = await stage();
    const reason = new Error("changed my mind");
    await expect(set.dial(AbortSignal.abort(reason))).rejects.toBe(reason);
    await set.rig.quiet();
  });

  test("aborting during the dial rejects it with the reason, unless it was quicker", async () => {
    await using set = await stage();
    const reason = new Error("too slow");
    const controller = new AbortController();
    const dialling = set.dial(controller.signal);
    controller.abort(reason);
    const outcome = await dialling.then(
      () => "opened",
      (error: unknown) => error,
    );
    // A port needs no handshake and has its socket at once; whoever dials over a network has to wait.
    expect(outcome).toBe(set.rig.dialMeetsListener ? reason : "opened");
    await set.rig.quiet();
  });

  test("aborting after the dial does not touch the socket", async () => {
    await using set = await stage();
    const controller = new AbortController();
    const near = await set.dial(controller.signal);
    const nearSide = new Recorder();
    near.open(nearSide);
    await set.rig.until(() => set.accepted.length === 1);
    controller.abort(new Error("too late"));
    await set.rig.quiet();
    expect(near.send(bytes(1))).toBe(true);
    expect(nearSide.closes).toEqual([]);
  });

  test("a dial leaves no listener on the signal", async () => {
    await using set = await stage();
    const { signal } = new AbortController();
    const adding = vi.spyOn(signal, "addEventListener");
    const removing = vi.spyOn(signal, "removeEventListener");
    await set.dial(signal);
    expect(removing.mock.calls.map(([, listener]) => listener)).toEqual(
      adding.mock.calls.map(([, listener]) => listener),
    );
  });

  test("dialling after stop fails with an error that says where, unless there is no telling", async () => {
    await using set = await stage();
    const { address } = set.rig.listener;
    await set.stop();
    const outcome = await set.dial(new AbortController().signal).then(() => "opened", String);
    expect(outcome).toContain(set.rig.dialMeetsListener ? address : "opened");
    expect(set.accepted).toEqual([]);
  });
}
