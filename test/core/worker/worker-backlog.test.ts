/** A worker whose runner does not read: what it sends and what it takes in are bounded, and nothing of that is lost. */
import { describe, expect, it } from "vitest";
import { SUPPORTED_FEATURES } from "../../../src/core/protocol/constants.ts";
import { WORKER_DEFAULTS } from "../../../src/core/worker/worker-options.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import type { WorkerOptions } from "../../../src/core/worker/worker-options.ts";
import type { Dialer } from "../../../src/core/transport/listener.ts";
import type { FaultProfile, Socket } from "../../../src/core/transport/socket.ts";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { ScriptedPeer } from "../../support/scripted-peer.ts";
import { HeldSocket } from "../../support/held-socket.ts";
import { Puppet } from "../../support/stage.ts";
import { Scene, Switchboard } from "./worker-scene.ts";

const KB = 1_000;
const MB = 1_000_000;

/** Its sockets take what the worker sends until the test says otherwise. */
class HeldBoard extends Switchboard implements Dialer {
  readonly sockets: HeldSocket[] = [];
  readonly faults: FaultProfile;

  constructor(faults: FaultProfile = "stream") {
    super();
    this.faults = faults;
  }

  override async dial(...args: Parameters<Switchboard["dial"]>): Promise<Socket> {
    const socket = new HeldSocket(await super.dial(...args), this.faults, true);
    this.sockets.push(socket);
    return socket;
  }

  get socket(): HeldSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("nobody dialled");
    return socket;
  }
}

async function scene(
  handler: Handler,
  options: Partial<WorkerOptions> = {},
  faults?: FaultProfile,
): Promise<{ scene: Scene; board: HeldBoard; runner: ScriptedPeer }> {
  const board = new HeldBoard(faults);
  const made = new Scene(handler, options, board);
  const runner = await made.register();
  board.socket.taking = false;
  return { scene: made, board, runner };
}

/** A handler that counts how often it was called, and returns so many bytes. */
function big(bytes: number): { calls: number; readonly handler: Handler } {
  const work = {
    calls: 0,
    handler: (): string => {
      work.calls++;
      return "x".repeat(bytes);
    },
  };
  return work;
}

describe("a worker whose runner sends and does not read", () => {
  it("begins no job above the high-water mark, and keeps what it was given", async () => {
    const work = big(100 * KB);
    const { scene: made, board, runner } = await scene(work.handler, { capacity: 4, highWater: 250 * KB });
    await using set = made;
    for (let id = 1; id <= 50; id++) {
      board.job(id);
      await set.clock.settle();
    }
    expect(work.calls, "the third goes over it").toBe(3);
    expect(board.socket.held).toBeLessThan(301 * KB);
    expect(runner.all("JOBRES")).toEqual([]);
    board.socket.resume();
    await set.clock.advance(10);
    expect([work.calls, runner.all("JOBRES").length, runner.all("REJECT").length]).toEqual([50, 50, 0]);
    expect(runner.all("JOBRES").map(({ attemptId }) => attemptId)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  it("holds at most its slots' results beyond the high-water mark, for as long as jobs come", async () => {
    const work = big(100 * KB);
    const { scene: made, board } = await scene(work.handler, { capacity: 4, highWater: 250 * KB });
    await using set = made;
    for (let id = 1; id <= 2_000; id++) board.job(id);
    await set.clock.advance(10_000);
    expect(board.socket.most).toBeLessThanOrEqual(250 * KB + 4 * 101 * KB);
    expect(work.calls).toBeLessThanOrEqual(2 + 4);
  });

  it("keeps its session whatever its streams still give, an item of each, and its handlers say of their progress", async () => {
    const gates: (() => void)[] = [];
    const gated: Handler = async function* (_job, { progress }) {
      for (let n = 0; ; n++) {
        await new Promise<void>((resolve) => gates.push(resolve));
        for (let times = 0; times < 100; times++) progress("p".repeat(8_000));
        yield "x".repeat(100 * KB);
      }
    };
    const options = { capacity: 50, highWater: 250 * KB, maxBuffered: 1 * MB };
    const board = new HeldBoard();
    await using set = new Scene(gated, options, board);
    const runner = await set.register({ features: SUPPORTED_FEATURES });
    board.socket.taking = false;
    for (let id = 1; id <= 50; id++) board.job(id, "x", { credit: 10 * MB, wantsProgress: true });
    await set.clock.settle();
    for (const open of gates.splice(0)) {
      open();
      await set.clock.advance(200);
    }
    // An item of each that was pulled before the backlog, and no second one; no report while it lasts.
    expect(board.socket.held).toBeLessThan(50 * 101 * KB);
    expect(board.socket.held).toBeGreaterThan(2 * MB);
    expect(runner.closed).toBeUndefined();
    board.socket.resume();
    await set.clock.advance(200);
    expect(runner.all("ITEM").length).toBe(50);
    expect(gates.length, "each is pulled again").toBe(50);
  });

  it("sends no report of a job that was cancelled, and waits for none", async () => {
    const board = new HeldBoard();
    const reports: Handler = (_job, { progress }) => {
      progress("sent");
      progress("waits");
      return new Promise(() => undefined);
    };
    const set = new Scene(reports, {}, board);
    const runner = await set.register({ features: SUPPORTED_FEATURES });
    board.job(1, "x", { wantsProgress: true });
    await set.clock.settle();
    runner.send({ type: "CANCEL", attemptId: 1, reason: "cancelled" });
    await set.clock.settle();
    await set.clock.advance(1_000);
    expect(runner.all("PROGRESS").map(({ value }) => value)).toEqual(["sent"]);
    await set[Symbol.asyncDispose]();
  });

  it("hands back what is beyond its slots and what may wait before them", async () => {
    const { scene: made, board, runner } = await scene(big(300 * KB).handler, { capacity: 4, highWater: 250 * KB });
    await using set = made;
    for (let id = 1; id <= 300; id++) {
      board.job(id);
      await set.clock.settle();
    }
    board.socket.resume();
    await set.clock.advance(10);
    const rejected = runner.all("REJECT");
    expect(rejected.every(({ reason }) => reason === "overloaded")).toBe(true);
    expect([rejected.length, runner.all("JOBRES").length], "4 slots, and 256 before them").toEqual([39, 261]);
  });

  it("takes in no more bytes than may wait", async () => {
    const {
      scene: made,
      board,
      runner,
    } = await scene(big(300 * KB).handler, {
      capacity: 4,
      highWater: 250 * KB,
      maxBuffered: 5 * MB,
    });
    await using set = made;
    for (let id = 1; id <= 20; id++) {
      board.job(id, "x".repeat(MB));
      await set.clock.settle();
    }
    board.socket.resume();
    await set.clock.advance(10);
    expect(runner.all("JOBRES").length, "one ran, and six waited").toBe(7);
    expect(runner.all("REJECT").length).toBe(13);
  });

  it("begins again when the backlog is seen to be gone, whoever sees it first", async () => {
    const work = big(300 * KB);
    const { scene: made, board } = await scene(work.handler, { highWater: 250 * KB });
    await using set = made;
    for (let id = 1; id <= 3; id++) {
      board.job(id);
      await set.clock.settle();
    }
    expect(work.calls).toBe(1);
    board.socket.take();
    await set.clock.settle();
    expect(work.calls, "nobody has looked").toBe(1);
    board.call.send({ type: "PING", nonce: 1 });
    await set.clock.settle();
    expect(work.calls, "a frame arrived").toBe(2);
    board.socket.take();
    await set.clock.advance(5);
    expect(work.calls, "time has passed").toBe(3);
    board.socket.resume();
  });

  it("still answers PINGs, confirms CANCELs, and asks to leave", async () => {
    const puppet = new Puppet();
    const { scene: made, board, runner } = await scene(puppet.handler, { capacity: 3, highWater: 250 * KB });
    await using set = made;
    for (const id of [1, 2]) board.job(id);
    await set.clock.settle();
    puppet.runs[0]?.end("x".repeat(300 * KB));
    await set.clock.settle();
    for (const id of [3, 4]) board.job(id);
    runner.send({ type: "PING", nonce: 9 }, { type: "CANCEL", attemptId: 3, reason: "cancelled" });
    await set.clock.settle();
    expect(puppet.runs.length, "neither 3 nor 4 began").toBe(2);
    void set.worker.drain();
    await set.clock.settle();
    board.socket.resume();
    await set.clock.settle();
    expect(runner.received.map(({ type }) => type)).toEqual([
      "HELLO",
      "JOBRES",
      "PONG",
      "CANCELLED",
      "REMOVE",
      "REJECT",
    ]);
    expect(runner.last("REJECT")).toMatchObject({ attemptId: 4, reason: "draining" });
    puppet.runs[1]?.end("done");
    await set.clock.settle();
    expect(runner.last("JOBRES")).toMatchObject({ attemptId: 2, value: "done" });
  });
});

describe("a worker leaves a runner that does not read", () => {
  it("at the byte limit", async () => {
    const {
      scene: made,
      board,
      runner,
    } = await scene(big(0).handler, {
      highWater: 1 * KB,
      maxBuffered: 10 * KB,
      maxPayload: 1 * KB,
    });
    await using set = made;
    let pings = 0;
    for (; pings < 5_000 && board.dials === 1; pings++) {
      runner.send({ type: "PING", nonce: pings });
      await set.clock.advance(1);
    }
    expect(board.socket.most).toBeLessThan(11 * KB);
    expect(set.events.filter(({ type }) => type === "disconnected")).toMatchObject([
      { reason: "lost", message: expect.stringMatching(/^the runner is too slow: it does not read: \d+ bytes wait$/) },
    ]);
  });

  it("not because of results of jobs that had begun before, however many", async () => {
    const puppet = new Puppet();
    const { scene: made, board, runner } = await scene(puppet.handler, { capacity: 20 });
    await using set = made;
    for (let id = 1; id <= 20; id++) board.job(id);
    await set.clock.settle();
    for (const run of puppet.runs) run.end("x".repeat(MB));
    await set.clock.advance(10_000);
    expect(board.socket.held, "over the limit of 8 MiB").toBeGreaterThan(20 * MB);
    expect([board.dials, set.worker.state]).toEqual([1, "registered"]);
    board.socket.resume();
    await set.clock.advance(10);
    expect(runner.all("JOBRES")).toHaveLength(20);
  });

  it("but for what it sends besides", async () => {
    const puppet = new Puppet();
    const {
      scene: made,
      board,
      runner,
    } = await scene(puppet.handler, {
      capacity: 20,
      highWater: 1 * KB,
      maxBuffered: 10 * KB,
      maxPayload: 1 * KB,
    });
    await using set = made;
    for (let id = 1; id <= 20; id++) board.job(id);
    await set.clock.settle();
    for (const run of puppet.runs) run.end("x".repeat(10 * KB));
    await set.clock.advance(100);
    expect(board.dials).toBe(1);
    for (let nonce = 0; nonce < 2_000; nonce++) runner.send({ type: "PING", nonce });
    await set.clock.advance(100);
    expect(set.events.filter(({ type }) => type === "disconnected")).toHaveLength(1);
  });

  it("and never a port, whose other end may be busy", async () => {
    const {
      scene: made,
      board,
      runner,
    } = await scene(big(0).handler, { highWater: 1 * KB, maxBuffered: 10 * KB, maxPayload: 1 * KB }, "port");
    await using set = made;
    for (let nonce = 0; nonce < 5_000; nonce++) runner.send({ type: "PING", nonce });
    await set.clock.advance(1_000);
    expect(board.socket.held).toBeGreaterThan(40 * KB);
    expect([board.dials, set.worker.state]).toEqual([1, "registered"]);
  });
});

describe("the limits of a worker's backlog", () => {
  it("are those of a runner", () => {
    const { highWater, maxBuffered } = WORKER_DEFAULTS;
    expect({ highWater, maxBuffered }).toEqual({ highWater: 1_048_576, maxBuffered: 8_388_608 });
  });

  it.each([
    [{ highWater: 0 }, "highWater"],
    [{ maxBuffered: 1.5 }, "maxBuffered"],
  ])("are checked: %j", (options, name) => {
    expect(() => new Scene(() => "", options)).toThrow(new RegExp(`Worker: expected \`${name}\` to be an integer ≥ 1`));
  });
});

describe("a runner that is stopped for ten seconds", () => {
  const CALLS = 40;

  it("loses no job of workers with large results", async () => {
    await simulate({ seeds: 6, network: { window: 1 * KB } }, async (sim) => {
      const runner = sim.runner({ maxPayload: 10 * KB });
      const worker = sim.worker(
        "w",
        async (_job, { signal }) => {
          await sim.sleep(sim.random() * 500, signal);
          return "x".repeat(9 * KB);
        },
        { capacity: 4, maxPayload: 10 * KB, highWater: 5 * KB },
      );
      const states = new Set<string>();
      sim.at(1_000, () => runner.stall(10_000));
      for (let at = 1_000; at < 12_000; at += 100) sim.at(at, () => states.add(worker.worker.state));
      const results = await Promise.all(Array.from({ length: CALLS }, () => runner.execute("x")));
      if (results.some((value) => value.length !== 9 * KB)) throw new Error("a result is not whole");
      const { retries, succeeded } = runner.stats();
      if (retries !== 0 || succeeded !== CALLS) throw new Error(`${retries} retries, ${succeeded} succeeded`);
      if (states.size !== 1 || !states.has("registered")) throw new Error(`the worker was ${[...states].join()}`);
    });
  });
});
