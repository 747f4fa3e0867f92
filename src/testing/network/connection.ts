/** A simulated connection: two sockets and the two pipes between them. See network.ts for its faults. */
import type { Clock } from "../../core/time/clock.ts";
import { Inbox } from "../../core/transport/inbox.ts";
import type { Peer } from "../../core/peer.ts";
import { CLAIM_BYTES, SharedClaims } from "../../core/transport/shared-claims.ts";
import type { Claims, CloseReason, FaultProfile, Receiver, Socket } from "../../core/transport/socket.ts";
import type { SeededRandom } from "../time/seeded-random.ts";
import { type Arrival, type Frame, Pipe } from "./pipe.ts";

/** Runs something as the machine at one end: at once, later, or never. */
export interface Site {
  /** Runs it. */
  run(fn: () => void): void;
}

/** What one end of a connection is made of. */
export interface EndOptions {
  /** The machine's name. */
  readonly machine: string;
  /** Where its code runs. */
  readonly site: Site;
  /** The other end, as this end sees it. */
  readonly sees: Peer;
  /** The largest frame it takes, in bytes. */
  readonly maxFrameBytes: number;
}

/** The network of a connection: what it gives, and what it is called with. */
export interface ConnectionOwner {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly faults: FaultProfile;
  readonly window: number;
  /** Whether the ends of a connection share memory. */
  readonly sharedMemory: boolean;
  latency(): number;
  /** A frame is about to leave. The network sends it on, or does to it what it will. */
  onSend(end: NetworkSocket, bytes: Uint8Array): void;
  onDelivered(end: NetworkSocket, frame: Frame): void;
  onClosed(end: NetworkSocket, byItself: boolean, reason: CloseReason): void;
  /** An end took a prefetched job back in shared memory. */
  onRecalled(end: NetworkSocket, attemptId: number): void;
  /** Something arrived at an end whose machine has crashed. */
  onUnanswered(end: NetworkSocket): void;
  /** Both ends are closed or dead. */
  onOver(connection: Connection): void;
}

const CLOSED_HERE: CloseReason = { code: "local", message: "closed by this end" };
const CLOSED_THERE: CloseReason = { code: "peer", message: "closed by the other end" };

/** Claims that tell what was recalled. */
class WatchedClaims extends SharedClaims {
  readonly #onRecalled: (attemptId: number) => void;

  constructor(memory: ArrayBuffer, onRecalled: (attemptId: number) => void) {
    super(memory);
    this.#onRecalled = onRecalled;
  }

  override recall(attemptId: number): boolean {
    const isBack = super.recall(attemptId);
    if (isBack) this.#onRecalled(attemptId);
    return isBack;
  }
}

/** One end. */
export class NetworkSocket implements Socket {
  readonly peer: Peer;
  readonly faults: FaultProfile;
  readonly claims: Claims | undefined;
  readonly machine: string;
  readonly connection: Connection;
  readonly #owner: ConnectionOwner;
  readonly #end: EndOptions;
  readonly #inbox = new Inbox();
  /** Frames it has sent. */
  sent = 0;
  /** Its machine has crashed. */
  dead = false;

  constructor(connection: Connection, end: EndOptions, owner: ConnectionOwner, memory: ArrayBuffer | undefined) {
    this.connection = connection;
    const onRecalled = (attemptId: number): void => owner.onRecalled(this, attemptId);
    this.claims = memory === undefined ? undefined : new WatchedClaims(memory, onRecalled);
    this.machine = end.machine;
    this.peer = end.sees;
    this.faults = owner.faults;
    this.#end = end;
    this.#owner = owner;
  }

  get bufferedBytes(): number {
    return this.connection.from(this).bufferedBytes;
  }

  /** Whether it was closed, by itself or by the other end. */
  get isClosed(): boolean {
    return this.#inbox.isClosed;
  }

  /** Whether nothing comes of it any more. */
  get isOver(): boolean {
    return this.dead || this.#inbox.isClosed;
  }

  send(frame: Uint8Array<ArrayBuffer>): boolean {
    if (this.#inbox.isClosed || this.dead) return false;
    this.sent++;
    this.#owner.onSend(this, frame);
    return true;
  }

  open(receiver: Receiver): void {
    this.#inbox.open(receiver);
  }

  close(reason: CloseReason = CLOSED_HERE): void {
    const later = (tell: () => void): void => this.#owner.clock.nextTurn(() => this.#end.site.run(tell));
    if (this.dead || !this.#inbox.close(reason, later)) return;
    this.#owner.onClosed(this, true, reason);
    this.connection.from(this).end(CLOSED_THERE);
    this.connection.to(this).seal();
    this.connection.checkOver();
  }

  /** Something has arrived for it: `read` is called once its machine has taken it in, which one that is gone never does. */
  arrive(arrival: Arrival, read: () => void): void {
    if (this.dead) return this.#owner.onUnanswered(this);
    this.#end.site.run(() => {
      read();
      if ("frame" in arrival) this.#frame(arrival.frame);
      else this.onClosed(arrival.end);
    });
  }

  /** Closes it as the connection is closed. `other` is the reason that the other end is given, if it does not know yet. */
  onClosed(reason: CloseReason, other?: CloseReason): void {
    if (this.dead || this.#inbox.isClosed) return;
    this.#owner.onClosed(this, false, reason);
    const out = this.connection.from(this);
    if (other !== undefined) out.end(other);
    // After a cut the other end's close is on its way, and stays there.
    else if (!out.ended) out.seal();
    this.connection.to(this).seal();
    this.#inbox.close(reason);
    this.connection.checkOver();
  }

  #frame(frame: Frame): void {
    if (this.dead || this.#inbox.isClosed) return;
    const bytes = frame.bytes.byteLength;
    if (bytes > this.#end.maxFrameBytes) {
      const message = `a frame of ${bytes} bytes is over the limit of ${this.#end.maxFrameBytes}`;
      return this.onClosed({ code: "too-large", message }, { code: "too-large", message });
    }
    this.#owner.onDelivered(this, frame);
    this.#inbox.frame(frame.bytes);
  }
}

/** Two ends and what is between them. */
export class Connection {
  readonly number: number;
  /** The end that dialled. */
  readonly near: NetworkSocket;
  /** The end that accepted. */
  readonly far: NetworkSocket;
  readonly #owner: ConnectionOwner;
  readonly #forth: Pipe;
  readonly #back: Pipe;
  #over = false;

  constructor(number: number, near: EndOptions, far: EndOptions, owner: ConnectionOwner) {
    this.number = number;
    this.#owner = owner;
    const memory = owner.sharedMemory ? new ArrayBuffer(CLAIM_BYTES) : undefined;
    this.near = new NetworkSocket(this, near, owner, memory);
    this.far = new NetworkSocket(this, far, owner, memory);
    const { clock, window } = owner;
    const latency = (): number => owner.latency();
    this.#forth = new Pipe({ clock, window, latency, onArrival: (arrival, read) => this.far.arrive(arrival, read) });
    this.#back = new Pipe({ clock, window, latency, onArrival: (arrival, read) => this.near.arrive(arrival, read) });
  }

  /** The pipe an end sends through. */
  from(end: NetworkSocket): Pipe {
    return end === this.near ? this.#forth : this.#back;
  }

  /** The pipe an end receives from. */
  to(end: NetworkSocket): Pipe {
    return end === this.near ? this.#back : this.#forth;
  }

  /** The other end. */
  other(end: NetworkSocket): NetworkSocket {
    return end === this.near ? this.far : this.near;
  }

  /** Both ends learn of it, each in its time; a part of what is on its way is lost. */
  cut(message: string): void {
    for (const pipe of [this.#forth, this.#back])
      pipe.cut(this.#owner.random.below(pipe.length + 1), { code: "error", message });
  }

  /**
   * The machine at one end is gone: what it sent still arrives, all or a part. Then the other end learns of it, or not. What its
   * operating system has not brought away goes with it: unless that lives on, and ends the connection in good order.
   */
  abandon(end: NetworkSocket, kind: "fin" | "rst" | "silent"): void {
    if (end.dead) return;
    end.dead = true;
    const out = this.from(end);
    if (kind === "fin") out.end(CLOSED_THERE);
    else if (kind === "silent") out.orphan();
    else {
      const keep = this.#owner.random.below(out.length + 1);
      out.cut(out.blocked ? 0 : keep, { code: "error", message: "connection reset" });
    }
    this.checkOver();
  }

  /** Ends it when it is over for both ends. */
  checkOver(): void {
    if (this.#over || !this.near.isOver || !this.far.isOver) return;
    this.#over = true;
    for (const pipe of [this.#forth, this.#back]) pipe.seal();
    this.#owner.onOver(this);
  }
}
