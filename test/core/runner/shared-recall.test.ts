/** Prefetched jobs of workers that share memory with their runner: they are back at once, whatever the worker reads. */
import { describe, expect, it } from "vitest";
import { CLAIM_BYTES, SharedClaims } from "../../../src/core/transport/shared-claims.ts";
import type { Listener } from "../../../src/core/transport/listener.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";
import { stage, type Stage } from "../../support/stage.ts";
import { answer, jobOf, practise, recalled, reject, submit } from "./prefetch-scene.ts";

/** A listener whose connections share memory. */
class Shared implements Listener {
  readonly address = "shared";
  readonly #clock: VirtualClock;
  #accept: (socket: Socket) => void = () => undefined;
  #ends: Socket[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start(accept: (socket: Socket) => void): Promise<void> {
    this.#accept = accept;
  }

  async stop(): Promise<void> {}

  /** A scripted worker, and its view of the memory. */
  async worker(identity: string): Promise<{ peer: ScriptedPeer; claims: SharedClaims }> {
    const at = { transport: "test", address: identity, principal: "local" };
    const [ours, theirs] = socketPair({ clock: this.#clock, peers: [at, at], maxFrameBytes: 1_000_000 });
    const memory = new SharedArrayBuffer(CLAIM_BYTES);
    Object.defineProperty(ours, "claims", { value: new SharedClaims(memory) });
    this.#ends.push(ours);
    this.#accept(ours);
    const peer = new ScriptedPeer(theirs);
    peer.send(hello({ identity, prefetchLimit: 256 }));
    await this.#clock.settle();
    return { peer, claims: new SharedClaims(memory) };
  }

  /** The runner's end of the first connection is told that it is gone. */
  cut(): void {
    this.#ends[0]?.close({ code: "error", message: "exited" });
  }
}

async function scene(prefetch: "auto" | number) {
  const clock = new VirtualClock();
  const listen = new Shared(clock);
  const set: Stage = await stage({ clock, listen, prefetch });
  Object.defineProperty(set, "clock", { value: clock });
  return { set, clock, listen };
}

describe("a job behind one that blocks its worker", () => {
  it("is run by another worker as soon as that is idle, and not begun where it was", async () => {
    const { set, clock, listen } = await scene(8);
    await using _set = set;
    const { peer: busy, claims } = await listen.worker("busy");
    const [, b, c] = await submit(set, "a b c d");
    const { peer: other } = await listen.worker("other");
    await clock.advance(1);
    await clock.settle();
    expect(other.jobs, "two of the three, the oldest first").toEqual(["c", "d"]);
    expect([3, 4, 2].map((id) => claims.begin(id))).toEqual([false, false, true]);
    await answer(set, other, "c");
    expect(c?.state).toBe("ok");
    // The worker comes to what it was sent, and says so: only then are the places free.
    expect(set.runner.stats()).toMatchObject({ running: 2, prefetched: 1 });
    await answer(set, busy, "a");
    await answer(set, busy, "b");
    expect(b?.state).toBe("ok");
    await reject(set, busy, "recalled", "c", "d");
    await answer(set, other, "d");
    expect(set.runner.stats()).toMatchObject({ retries: 0, prefetched: 0, running: 0 });
  });

  it("is not queued again when its caller gives it up before it is reported", async () => {
    const { set, clock, listen } = await scene(8);
    await using _set = set;
    const { peer: busy } = await listen.worker("busy");
    await submit(set, "a b");
    const bytes = new Uint8Array(4);
    const given = new AbortController();
    // The first comes back and cannot be sent; its outcome pulls the input, which gives up the second.
    function* inputs(): Generator<Uint8Array | string> {
      yield bytes;
      given.abort(new Error("not wanted"));
    }
    const results = set.runner.map(inputs(), { concurrency: 1 });
    const first = results.next();
    await clock.settle();
    const [second] = await submit(set, "c", { signal: given.signal });
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    const { peer: other } = await listen.worker("other");
    await clock.advance(1);
    expect(await first).toMatchObject({ value: { ok: false } });
    expect(second?.error).toMatchObject({ message: "not wanted" });
    expect(other.jobs).toEqual([]);
    expect(set.runner.stats()).toMatchObject({ queued: 1, prefetched: 1, running: 1 });
    await results.return();
    await answer(set, busy, "a");
    await answer(set, busy, "b");
  });

  it("stays when it has begun though its worker has not said so yet", async () => {
    const { set, clock, listen } = await scene(8);
    await using _set = set;
    const { peer: busy, claims } = await listen.worker("busy");
    await submit(set, "a b");
    claims.begin(2);
    const { peer: other } = await listen.worker("other");
    await clock.advance(1);
    expect([recalled(busy), other.jobs]).toEqual([["b"], []]);
    await answer(set, busy, "a");
    await answer(set, busy, "b");
  });

  it("is back in the queue once its worker is overdue, though no other is idle", async () => {
    const { set, clock, listen } = await scene("auto");
    await using _set = set;
    const { peer: busy } = await listen.worker("busy");
    await practise(set, busy, 64, 0.01, 1);
    await submit(set, "a b c");
    expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 2, queued: 2 });
    await clock.advance(4);
    expect(set.runner.stats().prefetched).toBe(2);
    await clock.advance(1);
    expect(set.runner.stats(), "no other worker is there").toMatchObject({ running: 1, prefetched: 0, queued: 2 });
    await submit(set, "late");
    const { peer: other } = await listen.worker("other");
    for (const data of ["b", "c", "late"]) await answer(set, other, data);
    expect(other.jobs, "they are before those that came later").toEqual(["b", "c", "late"]);
    await answer(set, busy, "a");
    await reject(set, busy, "recalled", "b", "c");
    expect(set.runner.stats()).toMatchObject({ running: 0, prefetched: 0, queued: 0, retries: 0, succeeded: 68 });
  });

  it("is left there while its worker answers others", async () => {
    const { set, clock, listen } = await scene("auto");
    await using _set = set;
    const { peer } = await listen.worker("busy");
    await practise(set, peer, 64, 0.01, 1);
    await submit(set, "a b c d e f");
    for (const data of ["a", "b", "c", "d"]) {
      await clock.advance(3);
      await answer(set, peer, data, 0.01);
    }
    expect(recalled(peer)).toEqual([]);
    for (const data of ["e", "f"]) await answer(set, peer, data, 0.01);
  });
});

describe("a worker that is gone", () => {
  it("has lost what it had begun and nothing else", async () => {
    const { set, listen, clock } = await scene(8);
    await using _set = set;
    const { claims } = await listen.worker("busy");
    const calls = await submit(set, "a b c", { attempts: 2, maxLost: 2 });
    claims.begin(2);
    listen.cut();
    await clock.settle();
    const { peer: other } = await listen.worker("other");
    await clock.advance(5_000);
    for (const data of ["c", "a", "b"]) await answer(set, other, data);
    expect(calls.map(({ state }) => state)).toEqual(["ok", "ok", "ok"]);
    expect(["a", "b", "c"].map((data) => jobOf(other, data).attempt)).toEqual([2, 2, 1]);
    expect(set.of("job-retried").map(({ outcome }) => outcome)).toEqual(["lost", "lost"]);
  });
});
