/** What the tests of prefetching share: a scripted worker that takes jobs ahead, and what it says of them. */
import type { WorkerLease } from "../../../src/core/runner/worker-lease.ts";
import type { Listener } from "../../../src/core/transport/listener.ts";
import type { HelloMessage, JobMessage, RejectReason } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import type { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { ScriptedPeer } from "../../support/scripted-peer.ts";
import type { Stage, Watched } from "../../support/stage.ts";

/** A listener whose connection says that so many bytes wait, takes no more when it is shut, and can be cut. */
export class Gate implements Listener {
  readonly address = "gate";
  backlog = 0;
  shut = false;
  readonly #clock: VirtualClock;
  #accept: (socket: Socket) => void = () => undefined;
  #ours: Socket | undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start(accept: (socket: Socket) => void): Promise<void> {
    this.#accept = accept;
  }

  async stop(): Promise<void> {}

  connect(): ScriptedPeer {
    const peer = { transport: "test", address: "here", principal: "local" };
    const [ours, theirs] = socketPair({ clock: this.#clock, peers: [peer, peer], maxFrameBytes: 1_000_000 });
    const send = ours.send.bind(ours);
    Object.defineProperty(ours, "bufferedBytes", { get: () => this.backlog });
    ours.send = (frame) => !this.shut && send(frame);
    this.#ours = ours;
    this.#accept(ours);
    return new ScriptedPeer(theirs);
  }

  /** The runner's end is told that the connection is gone. */
  cut(): void {
    this.#ours?.close({ code: "error", message: "cut" });
  }
}

/** A scripted worker of one slot that takes as many ahead as anybody sends. */
export function eager(set: Stage, over: Partial<HelloMessage> = {}): Promise<ScriptedPeer> {
  return set.peer({ identity: "eager", prefetchLimit: 256, ...over });
}

/** The JOB with this data that arrived last. */
export function jobOf(peer: ScriptedPeer, data: string): JobMessage {
  const found = peer.all("JOB").findLast(({ job }) => job.data === data);
  if (found === undefined) throw new Error(`no job ${data} among ${peer.jobs.join(" ")}`);
  return found;
}

/** Answers a job with its own data in capitals. */
export async function answer(set: Stage, peer: ScriptedPeer, data: string, ran?: number): Promise<void> {
  peer.send({ type: "JOBRES", attemptId: jobOf(peer, data).attemptId, value: data.toUpperCase(), durationMs: ran });
  await set.clock.settle();
}

/** Hands jobs back, in one frame. */
export async function reject(
  set: Stage,
  peer: ScriptedPeer,
  reason: RejectReason,
  ...data: readonly string[]
): Promise<void> {
  peer.send(...data.map((each) => ({ type: "REJECT" as const, attemptId: jobOf(peer, each).attemptId, reason })));
  await set.clock.settle();
}

/** Holds a slot that is free. */
export function hold(set: Stage): Promise<WorkerLease> {
  return set.settle(set.runner.workers.acquire());
}

/** Gives it back. */
export async function letGo(set: Stage, held: WorkerLease): Promise<void> {
  set.runner.workers.release(held);
  await set.clock.settle();
}

/** Hands jobs in, one after the other: `a b c`. */
export async function submit(
  set: Stage,
  data: string,
  options?: Parameters<Stage["execute"]>[1],
): Promise<Watched<unknown>[]> {
  const calls: Watched<unknown>[] = [];
  for (const each of data.split(" ")) calls.push(await set.execute(each, options));
  return calls;
}

/** Lets a worker answer this many jobs, each of which took `ran` ms there and `way` ms on the way. */
export async function practise(set: Stage, peer: ScriptedPeer, jobs: number, ran: number, way: number): Promise<void> {
  for (let n = 0; n < jobs; n++) {
    const call = await set.execute("practice");
    await set.clock.advance(ran + way);
    await answer(set, peer, "practice", ran);
    if (call.state !== "ok") throw new Error("the practice was not answered");
  }
}

/** The data of the jobs a worker was asked to hand back, in the order of asking. */
export function recalled(peer: ScriptedPeer): string[] {
  return peer.all("CANCEL").flatMap(({ attemptId, reason }) => {
    const data = peer.all("JOB").find((job) => job.attemptId === attemptId)?.job.data;
    return reason === "recalled" ? [String(data)] : [];
  });
}
