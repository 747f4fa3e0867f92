/** Jobs that were prefetched, at the worker: begun in order, never too many, handed back while they have not begun. */
import { describe, expect, it } from "vitest";
import { Job } from "../../../src/core/job/job.ts";
import type { Listener } from "../../../src/core/transport/listener.ts";
import type { CancelReason, Message } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import type { Worker } from "../../../src/core/worker/worker.ts";
import { ScriptedPeer, welcome } from "../../support/scripted-peer.ts";
import { Puppet } from "../../support/stage.ts";
import type { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { Scene, Switchboard } from "./worker-scene.ts";

function begun(puppet: Puppet): unknown[] {
  return puppet.runs.map(({ data }) => data);
}

async function send(scene: Scene, from: number, to: number): Promise<void> {
  for (let id = from; id <= to; id++) scene.board.job(id, `${id}`);
  await scene.clock.settle();
}

async function end(scene: Scene, puppet: Puppet, data: number): Promise<void> {
  puppet.runs.find((run) => run.data === `${data}`)?.end("");
  await scene.clock.settle();
}

async function cancel(scene: Scene, reason: CancelReason | "recalled", ...ids: readonly number[]): Promise<void> {
  scene.board.call.send(...ids.map((attemptId): Message => ({ type: "CANCEL", attemptId, reason })));
  await scene.clock.settle();
}

function rejects(runner: ScriptedPeer): [number, string][] {
  return runner.all("REJECT").map(({ attemptId, reason }) => [attemptId, reason]);
}

/** What a worker said, in order: `JOBRES 1`. */
function said(runner: ScriptedPeer): string[] {
  return runner.received.flatMap((message) =>
    "attemptId" in message ? [`${message.type} ${message.attemptId}`] : [message.type],
  );
}

describe("jobs that wait for a slot at the worker", () => {
  it("begin in the order in which they came, as slots become free", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 2 });
    await scene.register();
    await send(scene, 1, 5);
    expect([begun(puppet), scene.worker.running]).toEqual([["1", "2"], 2]);
    await end(scene, puppet, 2);
    expect(begun(puppet)).toEqual(["1", "2", "3"]);
    await send(scene, 6, 6);
    await end(scene, puppet, 1);
    await end(scene, puppet, 3);
    await end(scene, puppet, 4);
    expect(begun(puppet)).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(scene.worker.running).toBe(2);
    await end(scene, puppet, 5);
    await end(scene, puppet, 6);
    expect([scene.worker.running, scene.worker.served]).toEqual([0, 6]);
  });

  it("are not passed by one that comes while a slot is free", async () => {
    // The slot is free in the very step in which the frame is read: behind a handler that ended in it.
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 1 });
    await scene.register();
    await send(scene, 1, 2);
    puppet.runs[0]?.end("");
    scene.board.job(3, "3");
    await scene.clock.settle();
    expect(begun(puppet)).toEqual(["1", "2"]);
  });

  it("are never begun over capacity, also when handlers return at once", async () => {
    let [running, most] = [0, 0];
    const order: string[] = [];
    const handler: Handler = ({ data }) => {
      order.push(String(data));
      most = Math.max(most, ++running);
      if (Number(data) % 2 === 0) {
        running--;
        return "";
      }
      return Promise.resolve().then(() => {
        running--;
        return "";
      });
    };
    await using scene = new Scene(handler, { capacity: 3 });
    const runner = await scene.register();
    await send(scene, 1, 50);
    expect(runner.all("JOBRES")).toHaveLength(50);
    expect(order).toEqual(Array.from({ length: 50 }, (_, n) => `${n + 1}`));
    expect(most).toBe(3);
  });

  it("do not grow the stack, however many return at once", async () => {
    await using scene = new Scene(({ data }) => data);
    const runner = await scene.register();
    await send(scene, 1, 250);
    expect(runner.all("JOBRES").map(({ attemptId }) => attemptId)).toEqual(
      Array.from({ length: 250 }, (_, n) => n + 1),
    );
  });

  it("are handed back when they are asked for and have not begun", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    await send(scene, 1, 4);
    await cancel(scene, "recalled", 4, 3);
    expect(rejects(runner)).toEqual([
      [4, "recalled"],
      [3, "recalled"],
    ]);
    await end(scene, puppet, 1);
    await end(scene, puppet, 2);
    expect(begun(puppet)).toEqual(["1", "2"]);
  });

  it("are not handed back when they have begun, nor is their handler told", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    await send(scene, 1, 2);
    await cancel(scene, "recalled", 1);
    expect([rejects(runner), puppet.runs[0]?.signal.aborted]).toEqual([[], false]);
    await end(scene, puppet, 1);
    await cancel(scene, "recalled", 1, 2);
    expect(rejects(runner)).toEqual([]);
    await end(scene, puppet, 2);
    expect(runner.all("JOBRES").map(({ attemptId }) => attemptId)).toEqual([1, 2]);
    expect(runner.all("CANCELLED")).toEqual([]);
  });

  it("are not handed back twice", async () => {
    await using scene = new Scene(new Puppet().handler);
    const runner = await scene.register();
    await send(scene, 1, 2);
    await cancel(scene, "recalled", 2, 2);
    await cancel(scene, "recalled", 2);
    await cancel(scene, "timeout", 2);
    expect(rejects(runner)).toEqual([[2, "recalled"]]);
    expect(runner.all("CANCELLED")).toEqual([]);
  });

  it("are not handed back when asked for in the frame that brings them and a slot", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    scene.board.job(1, "1");
    await cancel(scene, "recalled", 1);
    expect([begun(puppet), rejects(runner)]).toEqual([["1"], []]);
  });

  it("never begin when they are cancelled, which is confirmed at once", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    await send(scene, 1, 3);
    await cancel(scene, "cancelled", 2);
    expect(runner.all("CANCELLED").map(({ attemptId }) => attemptId)).toEqual([2]);
    await end(scene, puppet, 1);
    expect(begun(puppet)).toEqual(["1", "3"]);
    expect(scene.worker.served).toBe(1);
  });

  it.each([
    ["drain", (worker: Worker) => void worker.drain()],
    ["retirement", undefined],
  ])("are handed back at a %s, the latest first, behind REMOVE", async (_name, leave) => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, leave === undefined ? { maxJobs: 2 } : {});
    const runner = await scene.register();
    await send(scene, 1, 5);
    if (leave === undefined) await end(scene, puppet, 1);
    else leave(scene.worker);
    await scene.clock.settle();
    const left = leave === undefined ? [5, 4, 3] : [5, 4, 3, 2];
    expect(rejects(runner)).toEqual(left.map((id) => [id, "draining"]));
    expect(said(runner).filter((what) => what === "REMOVE" || what.startsWith("REJECT"))[0]).toBe("REMOVE");
    expect(begun(puppet), "the last of its life is begun").toEqual(leave === undefined ? ["1", "2"] : ["1"]);
    runner.send({ type: "CANCEL", attemptId: 5, reason: "recalled" });
    await scene.clock.settle();
    expect(rejects(runner)).toHaveLength(left.length);
    await end(scene, puppet, leave === undefined ? 2 : 1);
    expect(runner.all("JOBRES")).toHaveLength(leave === undefined ? 2 : 1);
  });

  it("are not begun by a worker that stops", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    await send(scene, 1, 3);
    await scene.worker.stop();
    await scene.clock.settle();
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    expect(begun(puppet)).toEqual(["1"]);
    expect(said(runner).slice(1)).toEqual(["REMOVE"]);
    expect(scene.worker.running).toBe(0);
  });

  it("are not begun by a worker that is stopped by the handler before them", async () => {
    const order: unknown[] = [];
    const scene: Scene = new Scene(({ data }) => {
      order.push(data);
      if (data === "2") void scene.worker.stop();
      return "";
    });
    await using _scene = scene;
    await scene.register();
    await send(scene, 1, 5);
    expect(order).toEqual(["1", "2"]);
    expect([scene.worker.running, scene.worker.state]).toEqual([0, "stopped"]);
  });

  it("serve no more than `maxJobs` in a life, whatever was sent", async () => {
    const lives: string[][] = [];
    await using scene = new Scene(
      ({ data }) => {
        lives.at(-1)?.push(String(data));
        return "";
      },
      { maxJobs: 3 },
    );
    const runner = await scene.register();
    lives.push([]);
    await send(scene, 1, 10);
    expect(lives).toEqual([["1", "2", "3"]]);
    // Seven crossed the REMOVE or waited behind it.
    expect(
      rejects(runner)
        .map(([id]) => id)
        .toSorted((a, b) => a - b),
    ).toEqual([4, 5, 6, 7, 8, 9, 10]);
    expect(rejects(runner).every(([, reason]) => reason === "draining")).toBe(true);
  });

  it("are lost with their session, and the next begins with an empty line", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 2 });
    const first = await scene.register();
    await send(scene, 1, 5);
    first.close();
    await scene.clock.advance(1_000);
    expect(begun(puppet)).toEqual(["1", "2"]);
    puppet.runs[0]?.end("");
    await scene.clock.advance(1_000);
    expect(begun(puppet), "nothing of the old session begins").toEqual(["1", "2"]);
    expect(scene.worker.running).toBe(1);
  });
});

describe("handlers that outlive their session", () => {
  /** A worker of two slots, of which one is still taken by job 1 of its first session; 11, 12 and 13 are of its second. */
  async function outlived() {
    const puppet = new Puppet();
    const scene = new Scene(puppet.handler, { capacity: 2 });
    const first = await scene.register();
    await send(scene, 1, 1);
    first.close();
    await scene.clock.advance(1_000);
    const second = await scene.register();
    await send(scene, 11, 13);
    return { puppet, scene, second };
  }

  it("keep their slots: what the next session sends waits for them", async () => {
    const { puppet, scene, second } = await outlived();
    await using _scene = scene;
    expect(second.last("HELLO").capacity).toBe(1);
    expect(begun(puppet)).toEqual(["1", "11"]);
    await end(scene, puppet, 11);
    expect(begun(puppet)).toEqual(["1", "11", "12"]);
    expect(scene.worker.running).toBe(2);
  });

  it("give way to all slots: what waits is handed back, and comes again", async () => {
    const { puppet, scene, second } = await outlived();
    await using _scene = scene;
    await end(scene, puppet, 1);
    expect(rejects(second)).toEqual([
      [13, "draining"],
      [12, "draining"],
    ]);
    await end(scene, puppet, 11);
    second.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect(scene.board.call.last("HELLO").capacity).toBe(2);
  });
});

describe("after a handler that held up the event loop", () => {
  /** Handlers return at once and take as long as their data says, in ms. */
  function slow(clock: VirtualClock, order: unknown[]): Handler {
    return ({ data }) => {
      order.push(data);
      clock.jump(Number(data));
      return "";
    };
  }

  async function busy(options: { capacity?: number } = {}) {
    const board = new Switchboard();
    const order: unknown[] = [];
    const scene = new Scene(slow(board.clock, order), options, board);
    const runner = await scene.register();
    /** Sends jobs that take so long, all in one frame, with the numbers from 1. */
    const jobs = (...takes: readonly number[]): void => {
      runner.send(
        ...takes.map((ms, index): Message => {
          const attemptId = index + 1;
          return { type: "JOB", attemptId, attempt: 1, jobId: attemptId, ttl: 30_000, job: new Job(`${ms}`) };
        }),
      );
    };
    return { scene, runner, order, jobs };
  }

  it("frames are read before the next begins, and what is asked for is handed back", async () => {
    const { scene, runner, order, jobs } = await busy();
    await using _scene = scene;
    jobs(2, 0.1, 0.2);
    runner.send(
      { type: "CANCEL", attemptId: 3, reason: "recalled" },
      { type: "CANCEL", attemptId: 2, reason: "recalled" },
    );
    await scene.clock.settle();
    expect(order).toEqual(["2"]);
    expect(rejects(runner)).toEqual([
      [3, "recalled"],
      [2, "recalled"],
    ]);
  });

  it("the next begins if nobody wants it back", async () => {
    const { scene, runner, order, jobs } = await busy();
    await using _scene = scene;
    jobs(2, 0.1, 3, 0.1, 0.1);
    await scene.clock.settle();
    expect(order).toEqual(["2", "0.1", "3", "0.1", "0.1"]);
    expect(runner.all("JOBRES").map(({ attemptId }) => attemptId)).toEqual([1, 2, 3, 4, 5]);
  });

  it("its answer leaves before the next begins", async () => {
    const { scene, runner, order, jobs } = await busy();
    await using _scene = scene;
    jobs(2, 50);
    const frames = runner.frames;
    await scene.clock.settle();
    expect(order).toEqual(["2", "50"]);
    expect(runner.frames - frames).toBe(2);
  });

  it("there is no pause when it took a millisecond or less: a CANCEL comes too late", async () => {
    const { scene, runner, order, jobs } = await busy();
    await using _scene = scene;
    jobs(1, 0.5);
    runner.send({ type: "CANCEL", attemptId: 2, reason: "recalled" });
    await scene.clock.settle();
    expect(order).toEqual(["1", "0.5"]);
    expect(rejects(runner)).toEqual([]);
  });

  it("one that comes in the pause is begun behind those that wait", async () => {
    const { scene, order, jobs } = await busy();
    await using _scene = scene;
    jobs(2, 0.2);
    scene.board.job(3, "0.3");
    await scene.clock.settle();
    expect(order).toEqual(["2", "0.2", "0.3"]);
  });

  it("one that comes in the pause is begun at once if those that waited were handed back", async () => {
    const { scene, runner, order, jobs } = await busy();
    await using _scene = scene;
    jobs(2, 0.2);
    runner.send({ type: "CANCEL", attemptId: 2, reason: "recalled" });
    scene.board.job(3, "0.3");
    await scene.clock.settle();
    expect(order).toEqual(["2", "0.3"]);
  });

  it.each(["drain", "stop"] as const)("the worker may %s in the pause", async (leave) => {
    const { scene, runner, order, jobs } = await busy();
    await using _scene = scene;
    jobs(2, 0.1);
    scene.clock.nextTurn(() => void scene.worker[leave]());
    await scene.clock.settle();
    expect(order).toEqual(["2"]);
    expect(rejects(runner)).toEqual(leave === "drain" ? [[2, "draining"]] : []);
    runner.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect([scene.worker.state, scene.worker.running]).toEqual(["stopped", 0]);
  });

  it.each([
    [1, [0.25, 0.5, 0.75, 0.5]],
    [2, [0.25, 2, 0.5, 3]],
    [3, [1, 0.5, 0.25, 0.5, 2, 0.25]],
  ])("the runner hears what each took with %d slots, the time of the others not counted", async (capacity, takes) => {
    const { scene, runner, jobs } = await busy({ capacity });
    await using _scene = scene;
    jobs(...takes);
    await scene.clock.settle();
    expect(runner.all("JOBRES").map(({ durationMs: ran }) => ran)).toEqual(takes);
  });
});

/** A listener for a worker: each runner that connects is scripted. */
class Booth implements Listener {
  readonly address = "booth";
  readonly #clock: VirtualClock;
  #accept: (socket: Socket) => void = () => undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start(accept: (socket: Socket) => void): Promise<void> {
    this.#accept = accept;
  }

  async stop(): Promise<void> {}

  async runner(): Promise<ScriptedPeer> {
    const peer = { transport: "test", address: "here", principal: "local" };
    const [ours, theirs] = socketPair({ clock: this.#clock, peers: [peer, peer], maxFrameBytes: 1_000_000 });
    this.#accept(theirs);
    const runner = new ScriptedPeer(ours);
    runner.send(welcome());
    await this.#clock.settle();
    return runner;
  }
}

describe("several runners at one worker that listens", () => {
  it("share its slots: what finds none free is handed back, whoever sent it", async () => {
    const puppet = new Puppet();
    const board = new Switchboard();
    const booth = new Booth(board.clock);
    await using scene = new Scene(puppet.handler, { capacity: 2, listen: booth, dial: undefined }, board);
    await scene.worker.start();
    const [one, two] = [await booth.runner(), await booth.runner()];
    const job = (runner: ScriptedPeer, id: number, data: string): void => {
      scene.board.calls.push(runner);
      scene.board.job(id, data);
      scene.board.calls.pop();
    };
    for (let id = 1; id <= 3; id++) job(one, id, `one ${id}`);
    await scene.clock.settle();
    job(two, 1, "two 1");
    await scene.clock.settle();
    expect(begun(puppet)).toEqual(["one 1", "one 2"]);
    expect(two.all("REJECT")).toEqual([{ type: "REJECT", attemptId: 1, reason: "overloaded" }]);
    expect(rejects(one), "it was offered no place ahead").toEqual([[3, "overloaded"]]);
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    job(two, 2, "two 2");
    await scene.clock.settle();
    expect(begun(puppet)).toEqual(["one 1", "one 2", "two 2"]);
    expect(scene.worker.running).toBe(2);
  });

  it("cannot send it anything ahead: who has jobs waiting there would take every slot from the others", async () => {
    const board = new Switchboard();
    const booth = new Booth(board.clock);
    await using scene = new Scene(({ data }) => data, { listen: booth, dial: undefined }, board);
    await scene.worker.start();
    const runner = await booth.runner();
    expect(runner.last("HELLO").prefetchLimit).toBeUndefined();
    scene.board.calls.push(runner);
    await send(scene, 1, 1);
    expect(runner.last("JOBRES").durationMs, "nor does it say what jobs took, which is of no use then").toBeUndefined();
  });

  it("do not get the slot of a handler whose runner is lost before it has returned", async () => {
    const puppet = new Puppet();
    const board = new Switchboard();
    const booth = new Booth(board.clock);
    await using scene = new Scene(puppet.handler, { listen: booth, dial: undefined }, board);
    await scene.worker.start();
    const [one, two] = [await booth.runner(), await booth.runner()];
    scene.board.calls.push(one);
    scene.board.job(1, "one");
    await scene.clock.settle();
    one.close();
    await scene.clock.settle();
    scene.board.calls.push(two);
    scene.board.job(1, "two");
    await scene.clock.settle();
    expect(begun(puppet)).toEqual(["one"]);
    expect(rejects(two)).toHaveLength(1);
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    scene.board.job(2, "two again");
    await scene.clock.settle();
    expect(begun(puppet)).toEqual(["one", "two again"]);
  });
});
