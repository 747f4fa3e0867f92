/**
 * Two joined sockets inside one process. A runner hands one end to a Worker that dials it; the memory transport is a thin
 * listener and dialer around the same pair. Knows nothing of messages.
 */
import { IntMap } from "../collections/int-map.ts";
import type { AsyncContext, JobContexts } from "../time/async-context.ts";
import type { Clock } from "../time/clock.ts";
import { CLOSED_HERE, CLOSED_THERE, frameTooLarge, Inbox } from "./inbox.ts";
import type { Peer } from "../peer.ts";
import type { CloseReason, Receiver, Socket } from "./socket.ts";

interface Sent {
  readonly frame: Uint8Array;
  readonly attachments: readonly ArrayBufferLike[] | undefined;
}

class PairEnd implements Socket {
  readonly peer: Peer;
  readonly faults = "stream";
  readonly attachments = "shared";
  readonly jobContexts: JobContexts;
  readonly #clock: Clock;
  readonly #maxFrameBytes: number;
  readonly #inbox = new Inbox();
  #other: PairEnd | undefined;
  #onTheWay: Sent[] = [];
  #bytesOnTheWay = 0;

  constructor(clock: Clock, peer: Peer, maxFrameBytes: number, jobContexts: JobContexts) {
    this.jobContexts = jobContexts;
    this.#clock = clock;
    this.peer = peer;
    this.#maxFrameBytes = maxFrameBytes;
  }

  join(other: PairEnd): void {
    this.#other = other;
  }

  get bufferedBytes(): number {
    return this.#other === undefined ? 0 : this.#other.#bytesOnTheWay;
  }

  send(frame: Uint8Array<ArrayBuffer>, attachments?: readonly ArrayBufferLike[]): boolean {
    if (this.#inbox.isClosed || this.#other === undefined) return false;
    this.#other.#expect({ frame, attachments });
    return true;
  }

  open(receiver: Receiver): void {
    this.#inbox.open(receiver);
  }

  close(reason: CloseReason = CLOSED_HERE): void {
    const other = this.#other;
    if (!this.#inbox.close(reason, (report) => this.#clock.nextTurn(report))) return;
    this.#onTheWay = [];
    this.#bytesOnTheWay = 0;
    // Scheduled behind the frames already on their way, which therefore still arrive.
    if (other !== undefined) this.#clock.nextTurn(() => other.#closedByPeer());
  }

  #expect(sent: Sent): void {
    this.#bytesOnTheWay += sent.frame.byteLength;
    if (this.#onTheWay.push(sent) === 1) this.#clock.nextTurn(this.#arrive);
  }

  readonly #arrive = (): void => {
    const arrived = this.#onTheWay;
    this.#onTheWay = [];
    this.#bytesOnTheWay = 0;
    for (const { frame, attachments } of arrived) {
      if (frame.byteLength > this.#maxFrameBytes) return this.#refuse(frame.byteLength);
      this.#inbox.frame(frame, attachments);
    }
  };

  #refuse(bytes: number): void {
    const reason = frameTooLarge(bytes, this.#maxFrameBytes);
    this.#other?.close(reason);
    this.#inbox.close(reason);
  }

  #closedByPeer(): void {
    this.#inbox.close(CLOSED_THERE);
  }
}

/** What each end of a pair is given. */
export interface PairOptions {
  readonly clock: Clock;
  /** What the first end sees at the other side, and the second. */
  readonly peers: readonly [Peer, Peer];
  /** The largest frame each end accepts, in bytes. */
  readonly maxFrameBytes: number;
}

/** Makes two sockets, each the other's peer. Frames move in a later turn, all that were sent in one turn together. */
export function socketPair(options: PairOptions): [Socket, Socket] {
  const { clock, peers, maxFrameBytes } = options;
  const contexts: JobContexts = new IntMap<AsyncContext>();
  const first = new PairEnd(clock, peers[0], maxFrameBytes, contexts);
  const second = new PairEnd(clock, peers[1], maxFrameBytes, contexts);
  first.join(second);
  second.join(first);
  return [first, second];
}
