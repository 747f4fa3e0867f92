/** Two machines of a simulated network and what each was told: for tests of the network alone, below jobs and messages. */
import type { Socket } from "../../src/core/transport/socket.ts";
import { bytes, Recorder } from "../../src/testing/conformance/recorder.ts";
import { FaultyNetwork, type FaultyNetworkOptions } from "../../src/testing/network/network.ts";
import type { Observed } from "../../src/testing/history/observation.ts";
import { SeededRandom } from "../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";

/** The frame limit of both ends, in bytes. */
export const MAX = 4_096;

/** One end: its socket, and what arrived there and when. */
export class End {
  readonly socket: Socket;
  readonly seen: Recorder;
  /** When each frame arrived, in ms. */
  readonly at: number[] = [];
  /** When it was told of the close. */
  closedAt: number | undefined;

  constructor(name: string, socket: Socket, clock: VirtualClock) {
    this.socket = socket;
    this.seen = new Recorder(name);
    this.seen.onFrame = () => this.at.push(clock.now());
    this.seen.onClosed = () => (this.closedAt = clock.now());
    socket.open(this.seen);
  }

  /** The numbers of the frames that arrived, as {@link numbered} made them. */
  get numbers(): number[] {
    return this.seen.frames.map((frame) => frame[0] ?? -1);
  }

  /** Sends frames with these numbers. */
  send(...numbers: readonly number[]): void {
    for (const number of numbers) this.socket.send(numbered(number));
  }
}

/** A frame that carries its number. */
export function numbered(number: number, length = 10): Uint8Array<ArrayBuffer> {
  const frame = bytes(length);
  frame[0] = number;
  return frame;
}

/** A network of `worker` and `runner`, and everything observed in it. */
export class Wire {
  readonly clock: VirtualClock = new VirtualClock();
  readonly observed: Observed[] = [];
  readonly accepted: Socket[] = [];
  readonly network: FaultyNetwork;

  constructor(options: Partial<FaultyNetworkOptions> = {}, seed = 1) {
    this.network = new FaultyNetwork({
      clock: this.clock,
      random: new SeededRandom(seed),
      observe: (one) => this.observed.push(one),
      ...options,
    });
  }

  listen(machine = "runner"): Promise<void> {
    const listener = this.network.listen(machine);
    return listener.start((socket) => this.accepted.push(socket), { maxFrameBytes: MAX, report: () => undefined });
  }

  dial(signal: AbortSignal = new AbortController().signal, from = "worker", to = "runner"): Promise<Socket> {
    const dialled = this.network.dialer(from, to).dial(signal, { maxFrameBytes: MAX });
    dialled.catch(() => undefined); // it may fail while the clock moves
    return dialled;
  }

  /** A connection: the end that dialled and the one that accepted. */
  async connect(from = "worker", to = "runner"): Promise<[near: End, far: End]> {
    if (this.network.reach(from, to) === "refused") await this.listen(to);
    const dialling = this.dial(undefined, from, to);
    await this.clock.advance(1_000);
    const near = await dialling;
    const far = this.accepted.at(-1);
    if (far === undefined) throw new Error("nothing was accepted");
    return [new End(from, near, this.clock), new End(to, far, this.clock)];
  }
}
