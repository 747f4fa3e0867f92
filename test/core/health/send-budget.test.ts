/** What all sessions of a runner may hold unsent together. Counts bytes and looks. */
import { describe, expect, it } from "vitest";
import { TimerQueue } from "../../../src/core/time/timer-queue.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import { REGISTRATION_DEFAULTS } from "../../../src/core/runner/registration.ts";
import type { RunnerOptions } from "../../../src/core/runner/runner-options.ts";
import { type BudgetHolder, SendBudget } from "../../../src/core/health/send-budget.ts";
import type { Listener } from "../../../src/core/transport/listener.ts";
import type { FaultProfile, Socket } from "../../../src/core/transport/socket.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { HeldSocket } from "../../support/held-socket.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";
import { stage, type Stage } from "../../support/stage.ts";

const KB = 1_000;
const PEER = { transport: "held", address: "here", principal: "local" };

/** A worker that takes what it is sent when the test says so. */
interface HeldPeer {
  readonly socket: HeldSocket;
  readonly peer: ScriptedPeer;
}

/** A runner and many workers that take nothing of what they are sent once they are registered. */
async function crowd(
  count: number,
  options: RunnerOptions,
  over: { faults?: FaultProfile; blocking?: boolean } = {},
): Promise<{ set: Stage; peers: HeldPeer[]; held: () => number }> {
  const clock = new VirtualClock();
  let accept: (socket: Socket) => void = () => undefined;
  const listen: Listener = {
    address: "held",
    start: async (taker) => void (accept = taker),
    stop: async () => undefined,
  };
  const set = await stage({ clock, listen, prefetch: 0, attempts: 1, heartbeat: 1_000_000, ...options });
  Object.defineProperty(set, "clock", { value: clock });
  await clock.settle();
  const peers: HeldPeer[] = [];
  for (let number = 0; number < count; number++) {
    const [ours, theirs] = socketPair({ clock, peers: [PEER, PEER], maxFrameBytes: 10_000_000 });
    const socket = new HeldSocket(ours, over.faults, true);
    const peer = new ScriptedPeer(theirs);
    accept(socket);
    peer.send(hello({ identity: `w${number}`, capacity: 100, blocking: over.blocking ?? false }));
    await clock.settle();
    socket.taking = false;
    peers.push({ socket, peer });
  }
  return { set, peers, held: () => peers.reduce((sum, { socket }) => sum + socket.held, 0) };
}

function submit(set: Stage, jobs: number, bytes: number): void {
  for (let job = 0; job < jobs; job++)
    set.runner.execute("x".repeat(bytes), { timeout: Number.POSITIVE_INFINITY }).catch(() => undefined);
}

describe("all sessions together", () => {
  it("hold at most the budget, and a frame each", async () => {
    const { set, held } = await crowd(20, { maxBufferedTotal: 500 * KB });
    await using _ = set;
    submit(set, 1_000, 10 * KB);
    await set.clock.settle();
    expect(held()).toBeGreaterThan(500 * KB);
    expect(held()).toBeLessThanOrEqual(500 * KB + 20 * 75 * KB);
    const before = held();
    await set.clock.advance(5_000);
    expect(held() - before, "and no more later").toBeLessThan(10 * KB);
  });

  it("would hold as much as each of them may, without one", async () => {
    const { set, held } = await crowd(20, { maxBufferedTotal: Number.POSITIVE_INFINITY, maxPayload: 100 * KB });
    await using _ = set;
    submit(set, 1_000, 10 * KB);
    await set.clock.settle();
    expect(held()).toBeGreaterThan(9_000 * KB);
  });

  it("leave one that reads its work: it holds no share", async () => {
    const { set, peers } = await crowd(20, { maxBufferedTotal: 500 * KB });
    await using _ = set;
    submit(set, 1_000, 10 * KB);
    await set.clock.settle();
    const [reader] = peers;
    if (reader === undefined) throw new Error("nobody");
    reader.socket.resume();
    let served = 0;
    for (let round = 0; round < 50; round++) {
      await set.clock.advance(20);
      for (const job of reader.peer.all("JOB").slice(served)) {
        served++;
        reader.peer.answer("", job);
      }
    }
    await set.clock.settle();
    expect(served, "as many as there were").toBeGreaterThan(600);
  });

  it("are served again once enough is read", async () => {
    const { set, peers, held } = await crowd(20, { maxBufferedTotal: 500 * KB });
    await using _ = set;
    submit(set, 1_000, 10 * KB);
    await set.clock.settle();
    const jobs = (): number => peers.reduce((sum, { peer }) => sum + peer.jobs.length, 0);
    for (const { socket } of peers) socket.take();
    await set.clock.advance(100);
    expect([jobs() > 50, held() > 500 * KB]).toEqual([true, true]);
    for (const { socket } of peers) socket.resume();
    await set.clock.advance(100);
    expect([jobs(), held()]).toEqual([1_000, 0]);
  });

  it("lose those that read nothing for the stall timeout, the largest first, until the rest is not too much", async () => {
    const { set, peers, held } = await crowd(4, { maxBufferedTotal: 500 * KB, stallTimeout: 1_000 });
    await using _ = set;
    const sizes = [400, 300, 150, 20];
    for (const [number, size] of sizes.entries()) {
      const socket = peers[number]?.socket;
      if (socket === undefined) throw new Error("nobody");
      // The others are busy for long: each job goes to the one that is to have it.
      submit(set, 1, 1);
      socket.send(new Uint8Array(size * KB));
    }
    submit(set, 8, 1);
    await set.clock.advance(900);
    expect(set.of("worker-gone")).toEqual([]);
    await set.clock.advance(200);
    expect(set.of("worker-gone")).toMatchObject([{ identity: "w0", reason: "slow" }]);
    expect(held()).toBeLessThan(500 * KB);
    await set.clock.advance(10_000);
    expect(set.of("worker-gone")).toHaveLength(1);
  });

  it.each([
    ["ports", { faults: "port" }],
    ["blocking workers with work in flight", { blocking: true }],
  ] as const)("lose no %s", async (_name, over) => {
    const { set, held } = await crowd(20, { maxBufferedTotal: 500 * KB, stallTimeout: 1_000 }, over);
    await using _ = set;
    submit(set, 1_000, 10 * KB);
    await set.clock.advance(20_000);
    expect(set.of("worker-gone")).toEqual([]);
    expect(held()).toBeLessThanOrEqual(500 * KB + 20 * 75 * KB);
  });

  it("may hold 256 MiB unless told otherwise", async () => {
    expect(REGISTRATION_DEFAULTS.maxBufferedTotal).toBe(256 * 1_024 * 1_024);
    await expect(stage({ maxBufferedTotal: 0 })).rejects.toThrow("`maxBufferedTotal` to be an integer ≥ 1 or Infinity");
  });
});

describe("a budget", () => {
  class Holder implements BudgetHolder {
    counted = 0;
    bytes = 0;
    looks = 0;
    reviews = 0;
    stuck = false;
    evicted = 0;
    readonly #budget: SendBudget;
    constructor(of: SendBudget) {
      this.#budget = of;
    }
    get bufferedBytes(): number {
      this.looks++;
      return this.bytes;
    }
    hold(bytes: number): void {
      this.bytes = bytes;
      this.#budget.count(this, bytes);
    }
    review(): void {
      this.reviews++;
    }
    isStuck(): boolean {
      return this.stuck;
    }
    evict(): void {
      this.evicted++;
      this.hold(0);
    }
  }

  function made(count: number, limit = 1_000) {
    const clock = new VirtualClock();
    const timers = new TimerQueue(clock, false);
    const shared = new SendBudget(clock, timers, limit);
    return { clock, timers, budget: shared, holders: Array.from({ length: count }, () => new Holder(shared)) };
  }

  it("is counted by what each says of itself, without a look at the others", () => {
    const { budget, holders } = made(1_000, 1_000_000);
    for (let round = 0; round < 10; round++) for (const holder of holders) holder.hold(100 + round);
    expect(budget.total).toBe(109_000);
    expect(holders.reduce((sum, { looks, reviews }) => sum + looks + reviews, 0)).toBe(0);
    for (const holder of holders) holder.hold(0);
    expect(budget.total).toBe(0);
  });

  it("has shares only while it is overdrawn, equal among who holds something", () => {
    const { budget, holders } = made(4);
    const [a, b, c] = holders;
    a?.hold(700);
    b?.hold(300);
    expect([budget.isOverShare(700), budget.isOverShare(2_000)], "1,000 of 1,000").toEqual([false, false]);
    c?.hold(1);
    expect([333, 334, 700].map((bytes) => budget.isOverShare(bytes))).toEqual([false, true, true]);
    c?.hold(0);
    expect(budget.isOverShare(700)).toBe(false);
  });

  it("looks at all only while it seems overdrawn, and not more often than every 20 ms", async () => {
    const { clock, timers, holders } = made(10);
    for (const holder of holders) holder.hold(90);
    await clock.advance(1_000);
    expect([holders[0]?.looks, timers.size]).toEqual([0, 0]);
    for (const holder of holders) holder.hold(101);
    await clock.advance(99);
    expect(holders.map(({ reviews }) => reviews)).toEqual(Array.from({ length: 10 }, () => 5));
    for (const holder of holders) holder.bytes = 0;
    await clock.advance(1_000);
    expect([holders.map(({ counted }) => counted), timers.size]).toEqual([Array.from({ length: 10 }, () => 0), 0]);
  });

  it("evicts the largest that is stuck, as few as it takes", async () => {
    const { clock, timers, holders } = made(5);
    for (const [number, bytes] of [300, 250, 400, 350, 50].entries()) {
      const holder = holders[number];
      if (holder === undefined) throw new Error("nobody");
      holder.stuck = number !== 2;
      holder.hold(bytes);
    }
    await clock.advance(0);
    expect(holders.map(({ evicted }) => evicted)).toEqual([0, 0, 0, 1, 0]);
    await clock.advance(100);
    expect([holders.map(({ evicted }) => evicted), timers.size]).toEqual([[0, 0, 0, 1, 0], 0]);
  });
});
