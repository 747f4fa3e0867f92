/** A dial over the simulated network: what answers it, what does not, and what an aborted one leaves. */
import { describe, expect, it } from "vitest";
import { watch } from "../../support/stage.ts";
import { Wire } from "../wire.ts";

describe("a dial", () => {
  it("takes a way there and a way back", async () => {
    const wire = new Wire({ latency: [10, 10] });
    await wire.listen();
    const dialled = watch(wire.dial());
    await wire.clock.advance(19);
    expect([wire.accepted.length, dialled.state]).toEqual([1, "pending"]);
    await wire.clock.advance(1);
    expect(dialled.value?.peer).toEqual({ transport: "simulated", address: "runner", principal: "local" });
    expect(wire.accepted[0]?.peer).toEqual({ transport: "simulated", address: "worker", principal: "local" });
  });

  it("is made as the principal it says", async () => {
    const wire = new Wire();
    await wire.listen();
    const dialler = wire.network.dialer("worker", "runner", "alice");
    void dialler.dial(new AbortController().signal, { maxFrameBytes: 100 });
    await wire.clock.advance(100);
    expect(wire.accepted[0]?.peer.principal).toBe("alice");
  });

  it("is refused where nothing listens: at once, and again when the listener has stopped", async () => {
    const wire = new Wire();
    const early = watch(wire.dial());
    await wire.clock.advance(10);
    expect([early.state, String(early.error)]).toEqual(["failed", expect.stringContaining("refuses")]);
    const listener = wire.network.listen("runner");
    await listener.start(() => undefined, { maxFrameBytes: 100, report: () => undefined });
    await listener.stop();
    await listener.stop();
    const late = watch(wire.dial());
    await wire.clock.advance(10);
    expect(late.state).toBe("failed");
    expect(wire.clock.pending).toBe(0);
  });

  it("is not answered by a machine that lost its power, and gives up in its time", async () => {
    const wire = new Wire({ connectTimeout: 3_500 });
    await wire.listen();
    wire.network.abandon("runner", "silent");
    const dialled = watch(wire.dial());
    await wire.clock.advance(3_499);
    expect(dialled.state).toBe("pending");
    await wire.clock.advance(1);
    expect(String(dialled.error)).toContain("does not answer in 3500 ms");
    expect(wire.clock.pending).toBe(0);
  });

  it("is refused again by a machine that is back without its listener", async () => {
    const wire = new Wire();
    await wire.listen();
    wire.network.abandon("runner", "silent");
    wire.network.attach("runner", { run: (fn) => fn() });
    const dialled = watch(wire.dial());
    await wire.clock.advance(10);
    expect(String(dialled.error)).toContain("refuses");
  });

  it.each([
    ["before the knock", 5, 0],
    ["in the middle of a handshake", 15, 1],
  ])("that is called off %s rejects with the reason and leaves nothing", async (_when, after, accepted) => {
    const wire = new Wire({ latency: [10, 10] });
    await wire.listen();
    const controller = new AbortController();
    const dialled = watch(wire.dial(controller.signal));
    await wire.clock.advance(after);
    const reason = new Error("changed my mind");
    controller.abort(reason);
    await wire.clock.settle();
    expect([dialled.error, wire.accepted.length]).toEqual([reason, accepted]);
    await wire.clock.advance(100);
    expect([wire.network.connections, wire.clock.pending]).toEqual([0, 0]);
  });

  it("with a signal that has aborted already sends no request", async () => {
    const wire = new Wire();
    await wire.listen();
    const dialled = watch(wire.dial(AbortSignal.abort("no")));
    await wire.clock.advance(100);
    expect([dialled.error, wire.accepted.length]).toEqual(["no", 0]);
  });

  it("that comes to a machine that stands still is accepted when that wakes", async () => {
    const wire = new Wire();
    await wire.listen();
    const held: (() => void)[] = [];
    wire.network.attach("runner", { run: (fn) => held.push(fn) });
    const dialled = watch(wire.dial());
    await wire.clock.advance(5_000);
    expect([dialled.state, held.length]).toEqual(["pending", 1]);
    held[0]?.();
    await wire.clock.advance(10);
    expect(dialled.state).toBe("ok");
  });
});

describe("a listener", () => {
  it("closes what it accepted when it stops, and no other socket", async () => {
    const wire = new Wire();
    const listener = wire.network.listen("runner");
    await listener.start((socket) => wire.accepted.push(socket), { maxFrameBytes: 100, report: () => undefined });
    const [near, far] = await wire.connect("runner", "other");
    const [worker] = await wire.connect("worker", "runner");
    await listener.stop();
    await wire.clock.advance(100);
    expect([near.seen.order, far.seen.order, worker.seen.order]).toEqual(["", "", "c"]);
  });

  it("of another on the same machine is refused", async () => {
    const wire = new Wire();
    await wire.listen();
    await expect(wire.listen()).rejects.toThrow("already listening");
    wire.network.abandon("runner", "rst");
    await wire.listen();
  });
});
