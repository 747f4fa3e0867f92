/** A socket with a peer that takes nothing until a test says so: what is sent meanwhile is held, and counted. */
import type { Peer } from "../../src/core/peer.ts";
import type { CloseReason, FaultProfile, Receiver, Socket } from "../../src/core/transport/socket.ts";

export class HeldSocket implements Socket {
  readonly peer: Peer;
  readonly faults: FaultProfile;
  /** The most bytes that ever waited. */
  most = 0;
  /** How often it was asked what waits. */
  looks = 0;
  /** Whether the peer takes what is sent. */
  taking = false;
  readonly #inner: Socket;
  #held: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #closed = false;

  constructor(inner: Socket, faults: FaultProfile = "stream", taking = false) {
    this.#inner = inner;
    this.peer = inner.peer;
    this.faults = faults;
    this.taking = taking;
  }

  /** Bytes that wait. */
  get held(): number {
    return this.#bytes;
  }

  get bufferedBytes(): number {
    this.looks++;
    return this.#bytes;
  }

  send(frame: Uint8Array<ArrayBuffer>): boolean {
    if (this.#closed) return false;
    if (this.taking) return this.#inner.send(frame);
    this.#held.push(frame);
    this.#bytes += frame.byteLength;
    this.most = Math.max(this.most, this.#bytes);
    return true;
  }

  /** The peer takes the next frames, at most so many. */
  take(frames: number = Number.POSITIVE_INFINITY): void {
    for (const frame of this.#held.splice(0, frames)) {
      this.#bytes -= frame.byteLength;
      this.#inner.send(frame);
    }
  }

  /** The peer takes what waits, and all that comes. */
  resume(): void {
    this.taking = true;
    this.take();
  }

  open(receiver: Receiver): void {
    this.#inner.open(receiver);
  }

  close(reason?: CloseReason): void {
    this.#closed = true;
    this.#held = [];
    this.#bytes = 0;
    this.#inner.close(reason);
  }
}
