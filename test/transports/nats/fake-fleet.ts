/** Sockets over the server in memory, with a record of what each end was told. */
import type { ListenerContext } from "../../../src/core/transport/listener.ts";
import type { CloseReason, IncomingBytes, Receiver, Socket } from "../../../src/core/transport/socket.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import {
  dialNats,
  listenNats,
  type NatsListener,
  type NatsListenerOptions,
} from "../../../src/transports/nats/index.ts";
import { type FakeConnection, FakeNats, type FakePermissions } from "./fake-nats.ts";

/** The frame limit of both ends, in bytes. */
export const MAX_FRAME: number = 2 * 1_048_576;

/** One end, opened. */
export class End implements Receiver {
  readonly frames: Uint8Array[] = [];
  readonly closes: CloseReason[] = [];
  parts = 0;
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.open(this);
  }

  frame(bytes: Uint8Array): void {
    this.frames.push(bytes);
  }

  progress(): void {
    this.parts++;
  }

  closed(reason: CloseReason): void {
    this.closes.push(reason);
  }

  /** The codes of its closes. */
  get codes(): readonly string[] {
    return this.closes.map(({ code }) => code);
  }
}

/** How a fleet is set up. */
export interface FakeFleetOptions extends Partial<NatsListenerOptions> {
  readonly permissions?: FakePermissions;
  readonly account?: string;
  readonly incoming?: IncomingBytes;
}

/** A listener that is started, on a server and a clock of its own. */
export class FakeFleet {
  readonly clock: VirtualClock = new VirtualClock();
  readonly server: FakeNats = new FakeNats(this.clock);
  readonly random: SeededRandom = new SeededRandom(1);
  readonly listening: FakeConnection;
  readonly listener: NatsListener;
  readonly accepted: Socket[] = [];
  readonly reports: Error[] = [];
  readonly #incoming: IncomingBytes | undefined;

  constructor({ permissions, account, incoming, ...options }: FakeFleetOptions = {}) {
    this.listening = this.server.connect({
      ...(permissions === undefined ? {} : { permissions }),
      ...(account === undefined ? {} : { account }),
    });
    this.#incoming = incoming;
    this.listener = listenNats(this.listening, { fleet: "jobs", ...this.shared, ...options });
  }

  get shared(): { readonly clock: VirtualClock; readonly random: SeededRandom } {
    return { clock: this.clock, random: this.random };
  }

  async start(): Promise<void> {
    const context: ListenerContext = {
      maxFrameBytes: MAX_FRAME,
      report: (error) => void this.reports.push(error),
      ...(this.#incoming === undefined ? {} : { incoming: this.#incoming }),
    };
    await this.settle(this.listener.start((socket) => void this.accepted.push(socket), context));
  }

  /** The outcome of a promise, for which time goes on for up to 10 s. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    const state = { settled: false };
    const note = (): void => void (state.settled = true);
    promise.then(note, note);
    for (let i = 0; i < 1_000 && !state.settled; i++) await this.clock.advance(10);
    return await promise;
  }

  /** Dials, and does not wait. */
  dial(nc: FakeConnection, principal = "alice", signal: AbortSignal = new AbortController().signal): Promise<Socket> {
    return dialNats(nc, { fleet: "jobs", principal, ...this.shared }).dial(signal, { maxFrameBytes: MAX_FRAME });
  }

  /** A connection of two ends, both opened: the dialler's and the listener's. */
  async pair(nc: FakeConnection = this.server.connect(), principal = "alice"): Promise<readonly [End, End]> {
    const near = new End(await this.settle(this.dial(nc, principal)));
    const far = this.accepted.at(-1);
    if (far === undefined) throw new Error("nothing was accepted");
    return [near, new End(far)];
  }

  /** Closes all, and checks that nothing is left. */
  async end(...ends: readonly End[]): Promise<void> {
    for (const { socket } of ends) socket.close();
    await this.settle(this.listener.stop());
    await this.clock.advance(6_000);
    if (this.server.subscriptions > 0 || this.clock.pending > 0)
      throw new Error(`${this.server.subscriptions} subscriptions and ${this.clock.pending} timers are left`);
  }
}

/** Bytes that can be told from others. */
export function filled(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}
