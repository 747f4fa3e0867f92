/** A worker that dials a scripted runner, for the tests of worker.ts. */
import { expect } from "vitest";
import type { WorkerEvent } from "../../../src/core/events.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { Dialer } from "../../../src/core/transport/listener.ts";
import type { JobMessage, WelcomeMessage } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket, SocketLimits } from "../../../src/core/transport/socket.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import type { WorkerOptions } from "../../../src/core/worker/worker-options.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { ScriptedPeer, welcome } from "../../support/scripted-peer.ts";

const HERE = { transport: "test", address: "here", principal: "local" };

/** A scripted runner: each dial appears as a peer in `calls`, or fails with `refusal`. */
export class Switchboard implements Dialer {
  readonly clock: VirtualClock;
  /** What the dialer was told it may receive. */
  limits: SocketLimits | undefined;
  readonly calls: ScriptedPeer[] = [];
  refusal: Error | undefined;
  dials = 0;

  constructor(clock: VirtualClock = new VirtualClock()) {
    this.clock = clock;
  }

  async dial(_signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    this.dials++;
    this.limits = limits;
    if (this.refusal !== undefined) throw this.refusal;
    const [ours, theirs] = socketPair({ clock: this.clock, peers: [HERE, HERE], maxFrameBytes: 2_000_000 });
    this.calls.push(new ScriptedPeer(ours));
    return theirs;
  }

  get call(): ScriptedPeer {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("nobody called");
    return call;
  }

  job(attemptId: number, data = "x", over: Partial<JobMessage> = {}): void {
    this.call.send({ type: "JOB", attemptId, attempt: 1, jobId: attemptId, ttl: 30_000, job: new Job(data), ...over });
  }
}

/** A worker, and a scripted runner for it to dial. Disposing checks that nothing is left. */
export class Scene {
  readonly board: Switchboard;
  readonly clock: VirtualClock;
  readonly worker: Worker;
  readonly events: WorkerEvent[] = [];

  constructor(handler: Handler, options: Partial<WorkerOptions> = {}, board: Switchboard = new Switchboard()) {
    this.board = board;
    this.clock = board.clock;
    const random = new SeededRandom(7);
    this.worker = new Worker({
      dial: this.board,
      handler,
      identity: "w",
      clock: this.clock,
      random,
      ...options,
    });
    this.worker.on((event) => this.events.push(event));
  }

  async register(over: Partial<WelcomeMessage> = {}): Promise<ScriptedPeer> {
    if (this.worker.state === "created") this.worker.start().catch(() => undefined);
    await this.clock.settle();
    this.board.call.send(welcome(over));
    await this.clock.settle();
    return this.board.call;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.stop();
    await this.clock.settle();
    expect(this.clock.pending, "timers left").toBe(0);
    for (const call of this.board.calls) expect(call.closed, "sockets left").toBeDefined();
  }
}
